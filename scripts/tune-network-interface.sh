#!/bin/sh
# The old name of "hftune nic tune". Ports and options are passed on.
exec hftune nic tune "$@"

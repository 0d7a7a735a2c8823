#!/bin/sh
# The old name of "hftune verify". Options are passed on.
exec hftune verify "$@"

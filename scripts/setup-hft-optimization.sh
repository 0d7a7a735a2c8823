#!/bin/sh
# The old name of "hftune setup". Options are passed on.
exec hftune setup "$@"

#!/bin/sh
# The old name of "hftune vma configure". Ports and options are passed on.
exec hftune vma configure "$@"

#!/bin/sh
# The old name of "hftune vma install". Options are passed on.
exec hftune vma install "$@"

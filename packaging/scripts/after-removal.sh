#!/bin/sh
# After the files of the deb are gone. Purging it takes the journal of what was done, too, but never one that is still needed
# to undo something.
set -eu

state=/var/lib/hftune

if [ "${1-}" = purge ] && [ -d "$state" ]; then
    if [ -e "$state/removed-in-force" ]; then
        echo "hftune: $state is kept: changes are in force that only it can undo" >&2
    else
        rm -rf "$state"
    fi
fi

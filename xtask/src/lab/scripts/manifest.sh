# Prints type, mode, owner and content hash of everything under the given folders.
set -eu
find "$@" -printf 'entry\t%p\t%y %m %U:%G\t%l\n'
find "$@" -type f -print0 | xargs -0 sha256sum

# Prints everything on the disk but what changes by itself and what others have recorded: type, mode, owner, and of files
# size and time of change. Of /etc, /boot and /usr/local manifest.sh reads the contents instead.
set -eu
find / -xdev \
    \( -path /proc -o -path /sys -o -path /dev -o -path /run -o -path /tmp \
    -o -path /etc -o -path /boot -o -path /usr/local \
    -o -path /var/log -o -path /var/tmp -o -path /var/cache -o -path /var/lib/apt -o -path /var/lib/dpkg \
    -o -path /var/lib/systemd \) -prune \
    -o -type f -printf 'entry\t%p\t%y %m %U:%G %s %T@\t\n' \
    -o -printf 'entry\t%p\t%y %m %U:%G\t%l\n'

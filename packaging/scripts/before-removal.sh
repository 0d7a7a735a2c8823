#!/bin/sh
# Before the files of the package go. Units that "hftune setup" wrote call /usr/bin/hftune at every boot: without it the host
# would come up untuned and with failed units, and nothing could undo the rest. So the package stays while changes are in force.
#
# dpkg says "remove", rpm the number of hftune packages that stay. An upgrade replaces the files and needs nothing of this.
set -eu

hftune=/usr/bin/hftune
state=/var/lib/hftune
# Made by an operator who wants the package gone all the same.
anyway=$state/remove-anyway
# What is left of that, for the state to be kept.
left=$state/removed-in-force

refuse() {
    if [ -e "$anyway" ]; then
        mv "$anyway" "$left"
        echo "hftune: removed all the same, as $anyway asks. $state is kept: hftune rollback --all works" \
            "when hftune is installed again." >&2
        return
    fi
    cat >&2 <<EOF

hftune: the package is not removed: $1.${2:+

$2
}
    hftune rollback --all       gives the stock server back; then remove the package
    touch $anyway
                                has the package removed once with everything left as it is; units that call
                                $hftune fail at the next boot

EOF
    exit 1
}

# Nothing is written to /dev/null here: an image that is being built may have none.
has() {
    [ -n "$(command -v "$1")" ]
}

# Whoever is about to write units now would write them for a program that is gone. Only one exit code says so; a flock that cannot
# run says nothing.
at_work() {
    if [ ! -e "$state/lock" ] || ! has flock; then
        return 1
    fi
    flocked=0
    flock -n -E 75 "$state/lock" true || flocked=$?
    [ "$flocked" -eq 75 ]
}

case "${1-}" in
remove | 0) ;;
*) exit 0 ;;
esac

# Without the program there is nothing left to keep.
if [ -x "$hftune" ]; then
    if at_work; then
        refuse "hftune is at work"
    else
        code=0
        changes=$("$hftune" history --in-force) || code=$?
        case $code in
        0) rm -f "$anyway" "$left" ;;
        3) refuse "its changes are in force on this host" "$changes" ;;
        *) refuse "hftune cannot tell whether changes are in force (exit code $code)" ;;
        esac
    fi
fi

# Units of the package that somebody enabled.
for unit in /usr/lib/systemd/system/hftune-*; do
    if [ -e "$unit" ] && has systemctl; then
        unit=${unit##*/}
        systemctl --quiet disable "$unit" || echo "hftune: $unit could not be disabled" >&2
        if [ -d /run/systemd/system ]; then
            systemctl stop "$unit" || echo "hftune: $unit could not be stopped" >&2
        fi
    fi
done

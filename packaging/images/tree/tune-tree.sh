#!/bin/sh
# Sets up the tree of an image that is being built: tune-tree.sh TREE REFERENCE.tgz
#
# REFERENCE.tgz is what "hftune host --capture REFERENCE.tgz" recorded on one server of the kind that will run the image: the
# CPUs, nodes and ports of the machine that builds mean nothing. No process of the image is started, and nothing outside of
# TREE is changed. hftune must be on the path here, and in the image at /usr/bin/hftune or /usr/local/bin/hftune.
set -eu
tree=$1
reference=$2

for dir in "$tree/proc" "$tree/sys"; do
    mkdir -p "$dir"
    if [ -n "$(ls -A "$dir")" ]; then
        echo "$dir is not empty: unmount it first, or this machine is taken for the server" >&2
        exit 1
    fi
done
trap 'find "$tree/proc" "$tree/sys" -xdev -mindepth 1 -delete' EXIT
tar -xzf "$reference" -C "$tree" --strip-components=1 hftune-capture/proc hftune-capture/sys

# 3 and 4: what only a boot of the image can prove is open. Anything else is a failure.
code=0
hftune setup --root "$tree" --yes || code=$?
[ $code -eq 0 ] || [ $code -eq 3 ] || [ $code -eq 4 ]

# This much must be saved, boot arguments above all. 4: the boot is missing, and nothing else.
hftune verify --root "$tree" --failed --only boot --only sysctl --only hugepages --only thp --only limits || [ $? -eq 4 ]

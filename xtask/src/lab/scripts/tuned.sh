# A profile of tuned, applied as its documentation says, and its boot arguments brought to GRUB's menu where they did not get
# there.
# tuned.sh PROFILE
set -eu
for file in cpu-partitioning realtime realtime-virtual-guest; do
    echo "isolated_cores=2-7" > "/etc/tuned/$file-variables.conf"
done
systemctl enable -q --now dbus tuned
n=0
until tuned-adm profile "$1"; do
    n=$((n + 1))
    [ "$n" -lt 5 ]
    sleep 5
done
tuned-adm active
. /etc/tuned/bootcmdline
update-grub 2>/dev/null
if ! grep -qF "${TUNED_BOOT_CMDLINE:-quiet}" /boot/grub/grub.cfg; then
    mkdir -p /etc/default/grub.d
    printf 'GRUB_CMDLINE_LINUX_DEFAULT="$GRUB_CMDLINE_LINUX_DEFAULT %s"\n' "$TUNED_BOOT_CMDLINE" > /etc/default/grub.d/50-tuned.cfg
    update-grub 2>/dev/null
fi

# Prints what the running kernel and systemd hold now, one "key<TAB>value" a line.
set -eu
sysctl -a 2>/dev/null | sed 's/ = /\t/; s/ =$/\t/'

# One grep for all of them: a process costs the emulated CPU as much as a thousand lines.
grep -sH '' \
    /proc/cmdline \
    /proc/irq/default_smp_affinity \
    /sys/devices/system/cpu/isolated /sys/devices/system/cpu/nohz_full /sys/devices/system/cpu/online \
    /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor /sys/devices/system/cpu/cpu*/cpuidle/state*/disable \
    /sys/devices/system/machinecheck/machinecheck0/check_interval \
    /sys/devices/system/node/node*/hugepages/hugepages-*/nr_hugepages \
    /sys/devices/virtual/workqueue/cpumask /sys/devices/virtual/workqueue/*/cpumask \
    /sys/class/net/*/queues/*/rps_cpus /sys/class/net/*/queues/*/xps_cpus \
    /sys/kernel/mm/ksm/run \
    /sys/kernel/mm/transparent_hugepage/enabled /sys/kernel/mm/transparent_hugepage/defrag \
    /sys/kernel/mm/transparent_hugepage/shmem_enabled /sys/kernel/mm/transparent_hugepage/khugepaged/defrag \
    /sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs |
    sed 's/:/\t/'

systemctl list-units --all --type=service --no-legend --no-pager --plain |
    while read -r unit loaded active _; do
        printf 'unit/%s\t%s %s\n' "$unit" "$loaded" "$active"
    done

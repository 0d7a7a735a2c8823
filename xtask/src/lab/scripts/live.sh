# Prints what the running kernel and systemd hold now, one "key<TAB>value" a line.
set -eu
sysctl -a 2>/dev/null | sed 's/ = /\t/; s/ =$/\t/'

for file in \
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
    /sys/kernel/mm/transparent_hugepage/khugepaged/scan_sleep_millisecs
do
    if value=$(cat "$file" 2>/dev/null); then
        printf '%s\t%s\n' "$file" "$value"
    fi
done

systemctl list-unit-files --no-legend --no-pager | while read -r unit state _; do
    printf 'unit-file/%s\t%s\n' "$unit" "$state"
done
printf 'active/irqbalance.service\t%s\n' "$(systemctl is-active irqbalance.service || :)"

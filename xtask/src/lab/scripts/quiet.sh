# Counts what reaches the given CPUs: windows of so many seconds with a loop on each, then one without. What the kernel has
# counted at the ends of each is printed; it is read on a housekeeping CPU.
# quiet.sh SECONDS WINDOWS CPU...
set -eu
seconds=$1
windows=$2
shift 2
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
pids=
trap 'kill $pids 2>/dev/null || :' EXIT

sample() {
    echo "== $1"
    echo "-- uptime"
    cat /proc/uptime
    echo "-- interrupts"
    cat /proc/interrupts
    echo "-- softirqs"
    cat /proc/softirqs
    echo "-- switches"
    # Per CPU since its boot (kernel/sched/debug.c).
    sed -n 's/^cpu#\([0-9]*\).*/CPU \1/p; s/^ *\.nr_switches *: *\([0-9]*\)/SWITCHES \1/p' /sys/kernel/debug/sched/debug
}

for cpu in "$@"; do
    # Builtins only: the loop makes no system call.
    taskset -c "$cpu" sh -c 'while :; do :; done' &
    pids="$pids $!"
done
sleep 3
n=0
while [ "$n" -lt "$windows" ]; do
    sample busy
    sleep "$seconds"
    n=$((n + 1))
done
sample busy
kill $pids
wait $pids 2>/dev/null || :
pids=
sleep 3
sample idle
sleep "$seconds"
sample idle

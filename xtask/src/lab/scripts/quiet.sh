# Counts what reaches the given CPUs: windows of so many seconds with a loop on each, one without, and two with loops while
# others work. What the kernel has counted at the ends of each is printed; it is read on a housekeeping CPU.
# quiet.sh SECONDS WINDOWS OTHERS CPU...
set -eu
seconds=$1
windows=$2
others=$3
shift 3
mountpoint -q /sys/kernel/debug || mount -t debugfs debugfs /sys/kernel/debug
pids=
work=
trap 'kill $pids 2>/dev/null || :; [ -z "$work" ] || kill -- "-$work" 2>/dev/null || :' EXIT

sample() {
    echo "== $1"
    echo "-- uptime"
    cat /proc/uptime
    echo "-- interrupts"
    cat /proc/interrupts
    echo "-- softirqs"
    cat /proc/softirqs
    echo "-- work"
    for kind in packages modules memory frames; do
        echo "$kind $(tail -n 1 "/run/disturb.$kind" 2>/dev/null || echo 0)"
    done
    echo "-- switches"
    # Per CPU since its boot (kernel/sched/debug.c).
    sed -n 's/^cpu#\([0-9]*\).*/CPU \1/p; s/^ *\.nr_switches *: *\([0-9]*\)/SWITCHES \1/p' /sys/kernel/debug/sched/debug
}

loops() {
    for cpu in "$@"; do
        # Builtins only: the loop makes no system call.
        taskset -c "$cpu" sh -c 'while :; do :; done' &
        pids="$pids $!"
    done
    sleep 3
}

end_loops() {
    kill $pids
    wait $pids 2>/dev/null || :
    pids=
}

loops "$@"
n=0
while [ "$n" -lt "$windows" ]; do
    sample busy
    sleep "$seconds"
    n=$((n + 1))
done
sample busy
end_loops
sleep 3
sample idle
sleep "$seconds"
sample idle

loops "$@"
setsid sh /run/disturb.sh "$others" &
work=$!
# Each kind of work has begun.
n=0
until [ -s /run/disturb.packages ] && [ -s /run/disturb.modules ] && [ -s /run/disturb.memory ] && [ -s /run/disturb.frames ]; do
    n=$((n + 1))
    [ "$n" -lt 120 ] || { echo "the work did not begin: $(ls /run/disturb.*)" >&2; exit 1; }
    sleep 1
done
sample disturbed
sleep "$seconds"
sample disturbed
sleep "$seconds"
sample disturbed
kill -- "-$work"
work=
end_loops

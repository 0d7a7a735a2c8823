# Keeps the given CPUs busy in user space and prints what interrupted them during ten seconds of guest time.
# Runs on a housekeeping CPU itself.
set -eu
pids=
trap 'kill $pids 2>/dev/null' EXIT
for cpu in "$@"; do
    # Builtins only: the loop makes no system call, so that nothing but an interrupt enters the kernel. The cap, which
    # outlives a lost connection, is a timer of its own and therefore stays off the measured CPU.
    timeout 120 taskset -c "$cpu" sh -c 'while :; do :; done' &
    pids="$pids $!"
done

sample() {
    echo "== uptime"
    cat /proc/uptime
    echo "== interrupts"
    cat /proc/interrupts
    echo "== loops"
    for pid in $pids; do
        loop=$(cat "/proc/$pid/task/$pid/children")
        cat "/proc/${loop% }/stat"
    done
}

sleep 2
sample
sleep 10
sample

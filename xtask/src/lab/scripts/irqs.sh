# Prints number, requested and effective CPUs of every interrupt, and whether its affinity may be changed at all:
# the kernel refuses any write for a managed or per-CPU interrupt, also of the value that it holds.
for folder in /proc/irq/[0-9]*; do
    requested=$(cat "$folder/smp_affinity_list")
    if echo "$requested" 2>/dev/null > "$folder/smp_affinity_list"; then
        kind=movable
    else
        kind=fixed
    fi
    printf '%s\t%s\t%s\t%s\n' "${folder##*/}" "$kind" "$requested" "$(cat "$folder/effective_affinity_list")"
done

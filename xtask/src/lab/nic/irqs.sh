# Prints port, number, name, requested and effective CPUs of each interrupt that a driver of these ports asked for.
for port in "$@"; do
    folder=$(readlink -f "/sys/class/net/$port/device")
    # A virtio device hangs below the card that has the interrupts.
    while [ ! -d "$folder/msi_irqs" ] && [ "$folder" != / ]; do
        folder=$(dirname "$folder")
    done
    for irq in "$folder"/msi_irqs/*; do
        irq=${irq##*/}
        name=$(cat "/sys/kernel/irq/$irq/actions" 2>/dev/null)
        [ -n "$name" ] || continue
        printf '%s\t%s\t%s\t%s\t%s\n' "$port" "$irq" "$name" "$(cat "/proc/irq/$irq/smp_affinity_list")" \
            "$(cat "/proc/irq/$irq/effective_affinity_list")"
    done
done

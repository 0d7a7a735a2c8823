# Prints what ethtool and the kernel say of each of the ports that are named: "== PORT SECTION EXIT-CODE", then the text.
for port in "$@"; do
    for section in show-ring show-channels show-coalesce show-features show-pause show-eee show-priv-flags driver \
        show-time-stamping settings; do
        option=--$section
        [ $section = settings ] && option=
        # Unquoted: an empty option is no argument.
        text=$(ethtool $option "$port" 2>&1)
        printf '== %s %s %s\n%s\n' "$port" $section $? "$text"
    done
done

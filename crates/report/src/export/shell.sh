
usage() {
    printf '%s\n' \
        "usage: sh $name [--check|--undo|--boot] [--force] [--root DIR]" \
        '  (nothing)  keep what is there now, then change what differs' \
        '  --check    only tell what differs: exit 0 nothing, 3 something, 4 only a reboot is missing' \
        '  --undo     put back what was there before the first change' \
        '  --boot     the values that a boot forgets, as the unit sets them' \
        '  --force    with --undo: also files that somebody changed since' \
        '  --root DIR below DIR instead of on this machine; no program is started'
}

say() { printf '%s\n' "$*"; }
complain() {
    printf '%s: %s\n' "$name" "$*" >&2
    failed=1
}
die() {
    code=$1
    shift
    printf '%s: %s\n' "$name" "$*" >&2
    exit "$code"
}

# Whether programs may be started: never for a directory tree.
is_live() { [ -z "$root" ]; }

# The machine that this was made for is the only one on which its CPU numbers mean what they should.
guard() {
    while read -r path expected; do
        [ -n "$path" ] || continue
        if [ -n "$root" ] && [ ! -e "$root/sys/devices/system/cpu/present" ]; then
            return
        fi
        found=$(cat "$root$path" 2>/dev/null) || found='(missing)'
        [ "$found" = "$expected" ] ||
            die 1 "made for a machine with other CPUs: $path is \"$found\" here, \"$expected\" there; nothing was done. Export anew on this machine"
    done <<LAYOUT
$layout
LAYOUT
}

# squeezed: the words of a text with one space between them.
squeeze() {
    set -f
    # shellcheck disable=SC2086 # splitting is what is wanted
    set -- $1
    set +f
    squeezed=$*
}

# masked: a mask of CPUs without commas and leading zeros.
mask() {
    masked=
    rest=$1
    while :; do
        case $rest in
        *,*)
            masked=$masked${rest%%,*}
            rest=${rest#*,}
            ;;
        *) break ;;
        esac
    done
    masked=$masked$rest
    while :; do
        case $masked in
        0?*) masked=${masked#0} ;;
        *) break ;;
        esac
    done
}

# expanded: " 0 1 2 " for the list 0-2.
expand() {
    expanded=' '
    list=$1
    while [ -n "$list" ]; do
        part=${list%%,*}
        case $list in
        *,*) list=${list#*,} ;;
        *) list= ;;
        esac
        cpu=${part%%-*}
        last=${part##*-}
        while [ "$cpu" -le "$last" ]; do
            expanded="$expanded$cpu "
            cpu=$((cpu + 1))
        done
    done
}

# kept_home: those CPUs of a list that serve the OS, as a list with commas.
intersect() {
    kept_home=
    expand "$1"
    for cpu in $expanded; do
        case $os_cpus in
        *" $cpu "*) kept_home=$kept_home,$cpu ;;
        esac
    done
    kept_home=${kept_home#,}
}

# Whether all CPUs of a list serve the OS.
within() {
    expand "$1"
    [ "$expanded" != ' ' ] || return 1
    for cpu in $expanded; do
        case $os_cpus in
        *" $cpu "*) ;;
        *) return 1 ;;
        esac
    done
}

# Whether what was read is what is wanted: same HOW READ WANTED
same() {
    case $1 in
    bracketed)
        squeezed=${2#*\[}
        [ "${squeezed%%]*}" = "$3" ]
        ;;
    cpu-mask)
        mask "$2"
        read_mask=$masked
        mask "$3"
        [ "$read_mask" = "$masked" ]
        ;;
    *)
        squeeze "$2"
        [ "$squeezed" = "$3" ]
        ;;
    esac
}

differs() {
    say "differs: $1: $2"
    changes=$((changes + 1))
}
changed() {
    say "changed: $1: $2"
    changes=$((changes + 1))
}

# Remembers what was there, unless it is remembered already: keep KIND TARGET OURS BEFORE
keep() {
    is_kept "$1" "$2" && return
    kept=$kept$1$tab$2$tab$3$tab$4$nl
}
is_kept() {
    case $nl$kept in
    *"$nl$1$tab$2$tab"*) return 0 ;;
    *) return 1 ;;
    esac
}

# What was kept for interrupts and threads of another boot means nothing any more.
read_kept() {
    kept=
    [ -f "$state/before" ] || return 0
    while IFS=$tab read -r kind target ours before; do
        case $kind:$target in
        irq:*"@$boot_id" | thread:*"@$boot_id") ;;
        irq:* | thread:*) continue ;;
        esac
        kept=$kept$kind$tab$target$tab$ours$tab$before$nl
    done <"$state/before"
}

# To the disk before anything is changed: what was there is never lost, and never replaced by a later run.
commit_kept() {
    [ -n "$kept" ] || return 0
    if mkdir -p "$state" && chmod 700 "$state" && printf %s "$kept" >"$state/before.new" && sync &&
        mv "$state/before.new" "$state/before" && sync; then
        return
    fi
    die 1 "cannot write to $state; nothing was changed"
}

# is: what is in the place of a file.
look() {
    if [ -L "$root$1" ]; then
        is=link:$(readlink "$root$1")
    elif [ ! -e "$root$1" ]; then
        is=absent
    elif [ -f "$root$1" ]; then
        # shellcheck disable=SC2046 # two numbers
        set -- $(cksum <"$root$1")
        is=file:$1:$2
    else
        is=other
    fi
}

keep_dirs() {
    dir=${1%/*}
    missing=
    while [ -n "$dir" ] && [ ! -d "$root$dir" ]; do
        missing="$dir$nl$missing"
        dir=${dir%/*}
    done
    while read -r dir; do
        [ -z "$dir" ] || keep dir "$dir" - -
    done <<DIRS
$missing
DIRS
}

keep_file() {
    is_kept "$1" "$2" && return
    look "$2"
    case $is in
    file:*)
        copies=$((copies + 1))
        while [ -e "$state/files/$copies" ]; do copies=$((copies + 1)); done
        if ! { mkdir -p "$state/files" && chmod 700 "$state" && cp -a "$root$2" "$state/files/$copies"; }; then
            die 1 "cannot copy $2 to $state; nothing was changed"
        fi
        keep "$1" "$2" "$3" "copy:$copies"
        ;;
    *) keep "$1" "$2" "$3" "$is" ;;
    esac
}

# place ID PATH WANTED EXPECTED: false where there is nothing to do in this pass.
place() {
    look "$2"
    [ "$is" != "$3" ] || return 1
    case $pass in
    check) differs "$1" "$2" ;;
    keep)
        case $is:$4 in
        *:any | absent:* | "$4:$4") ;;
        *)
            complain "$2 is not as it was when this was made, so nothing is done; export anew, or look at it"
            refused=1
            return 1
            ;;
        esac
        keep_dirs "$2"
        keep_file file "$2" "$3"
        case $1 in boot/*) boot_changes=1 ;; esac
        ;;
    esac
    [ "$pass" = write ]
}

# file ID PATH MODE CONTENT WANTED EXPECTED
file() {
    place "$1" "$2" "$5" "$6" || return 0
    mkdir -p "$root${2%/*}" || {
        complain "$2: cannot make its folder"
        return
    }
    new=$root$2.hft-new
    rm -f "$new"
    is_new=1
    if [ -f "$root$2" ] && [ ! -L "$root$2" ]; then
        cp -a "$root$2" "$new"
        is_new=0
    fi
    if "$4" >"$new" && { [ "$is_new" = 0 ] || chmod "$3" "$new"; } && mv -f "$new" "$root$2"; then
        if [ "$is_new" = 1 ] && is_live && command -v restorecon >/dev/null; then restorecon "$2"; fi
        changed "$1" "$2"
        case $2 in */systemd/system/*) units_changed=1 ;; esac
    else
        rm -f "$new"
        complain "$2 cannot be written"
    fi
}

# link ID PATH TARGET EXPECTED
link() {
    place "$1" "$2" "link:$3" "$4" || return 0
    mkdir -p "$root${2%/*}"
    rm -f "$root$2.hft-new"
    if ln -s "$3" "$root$2.hft-new" && mv -f "$root$2.hft-new" "$root$2"; then
        changed "$1" "$2 -> $3"
        units_changed=1
    else
        complain "$2 cannot be made"
    fi
}

# nothing ID PATH EXPECTED
nothing() {
    place "$1" "$2" absent "$3" || return 0
    if rm -f "$root$2"; then changed "$1" "$2 is gone"; else complain "$2 cannot be removed"; fi
}

# kernel ID PATH HOW WANTED
kernel() {
    if ! now=$(cat "$root$2" 2>/dev/null); then
        if [ "$pass" = keep ]; then return; fi
        if is_live; then complain "$1: $2 cannot be read"; else absent=$((absent + 1)); fi
        return
    fi
    same "$3" "$now" "$4" && return
    squeeze "$now"
    old=$squeezed
    if [ "$3" = bracketed ]; then
        old=${now#*\[}
        old=${old%%]*}
    fi
    case $pass in
    check) differs "$1" "$2 is $old, not $4" ;;
    keep) keep kernel "$2" - "$old" ;;
    write)
        { printf '%s\n' "$4" >"$root$2"; } 2>/dev/null
        if now=$(cat "$root$2" 2>/dev/null) && same "$3" "$now" "$4"; then
            changed "$1" "$2: $old -> $4"
        else
            complain "$1: $2 was asked for $4 and holds \"$now\""
        fi
        ;;
    esac
}

# What ethtool shows of a port, a line a value, by the words that set it: told IF OPTION
told() {
    ethtool "$2" "$1" 2>/dev/null | awk -v option="$2" '
        BEGIN {
            kernel["generic-receive-offload"] = "rx-gro"
            kernel["large-receive-offload"] = "rx-lro"
            kernel["generic-segmentation-offload"] = "tx-generic-segmentation"
            kernel["ntuple-filters"] = "rx-ntuple-filter"
            kernel["receive-hashing"] = "rx-hashing"
            kernel["rx-checksumming"] = "rx-checksum"
            kernel["rx-vlan-offload"] = "rx-vlan-hw-parse"
            kernel["tx-vlan-offload"] = "tx-vlan-hw-insert"
            wanted = (option != "-g" && option != "-l")
        }
        /^Current hardware settings/ { wanted = 1; next }
        !wanted { next }
        option == "-c" && /^Adaptive RX:/ {
            print "adaptive-rx", $3
            print "adaptive-tx", $5
            next
        }
        option == "--show-eee" && /EEE status:/ {
            print "eee", ($3 == "enabled" ? "on" : $3 == "disabled" ? "off" : $3)
            next
        }
        /:/ {
            name = $0
            sub(/:.*/, "", name)
            gsub(/^[ \t]+|[ \t]+$/, "", name)
            value = $0
            sub(/[^:]*:[ \t]*/, "", value)
            sub(/[ \t].*/, "", value)
            if (option == "-g" || option == "-l" || option == "-a") {
                name = tolower(name)
                gsub(/ /, "-", name)
                if (name == "autonegotiate") name = "autoneg"
            }
            if (option == "-k" && name in kernel) name = kernel[name]
            if (value != "") print name, value
        }'
}

# value_of NAME: out of what told said
value_of() {
    while read -r word value; do
        if [ "$word" = "$1" ]; then
            printf %s "$value"
            return
        fi
    done <<TOLD
$said
TOLD
}

# port ID IF SHOW SET WORD VALUE...: values that a network port takes in one request
port() {
    is_live || return 0
    id=$1 port=$2 show=$3 set=$4
    shift 4
    if ! command -v ethtool >/dev/null || [ ! -e "/sys/class/net/$port" ]; then
        [ "$pass" = keep ] || complain "$id: ethtool or the port $port is not here"
        return
    fi
    said=$(told "$port" "$show")
    wanted=$*
    differing=
    while [ $# -gt 1 ]; do
        now=$(value_of "$1")
        if [ "$now" != "$2" ]; then
            differing="$differing $1 is ${now:-not told}, not $2;"
            if [ "$pass" = keep ] && [ -n "$now" ]; then keep port "$port $set $1" - "$now"; fi
        fi
        shift 2
    done
    [ -n "$differing" ] || return 0
    case $pass in
    check) differs "$id" "$port:${differing%;}" ;;
    write)
        # shellcheck disable=SC2086 # each is a word
        reason=$(ethtool "$set" "$port" $wanted 2>&1)
        said=$(told "$port" "$show")
        # shellcheck disable=SC2086 # each is a word
        set -- $wanted
        while [ $# -gt 1 ]; do
            now=$(value_of "$1")
            if [ "$now" != "$2" ]; then
                complain "$id: $port: $1 was asked for $2 and is ${now:-not told}: $reason"
                return
            fi
            shift 2
        done
        changed "$id" "$port:${differing%;}"
        ;;
    esac
}

# Interrupts that the kernel lets nobody move are remembered until the next boot, since only trying tells.
immovable() {
    case $nl$fixed_irqs in
    *"$nl$1$nl"*) return 0 ;;
    *) return 1 ;;
    esac
}

# irqs ID: every interrupt that can be moved, to the CPUs that serve the OS
irqs() {
    for directory in "$root"/proc/irq/[0-9]*; do
        now=$(cat "$directory/smp_affinity_list" 2>/dev/null) || continue
        within "$now" && continue
        number=${directory##*/}
        immovable "$number" && continue
        case $pass in
        check) differs "$1" "interrupt $number is on CPUs $now" ;;
        keep) keep irq "$number@$boot_id" - "$now" ;;
        write)
            if { printf '%s\n' "$housekeeping" >"$directory/smp_affinity_list"; } 2>/dev/null; then
                changed "$1" "interrupt $number: CPUs $now -> $housekeeping"
            else
                fixed_irqs=$fixed_irqs$number$nl
            fi
            ;;
        esac
    done
    [ "$pass" = write ] && [ -n "$fixed_irqs" ] && mkdir -p "$run" &&
        printf %s "$fixed_irqs" >"$run/fixed-irqs"
    return 0
}

# Kernel threads that may be moved: PF_KTHREAD without PF_NO_SETAFFINITY in /proc/PID/stat, and the CPUs that each may use.
movable_threads() {
    {
        cat /proc/[0-9]*/stat
        grep -H '^Cpus_allowed_list:' /proc/[0-9]*/status
    } 2>/dev/null | awk '
        /^\/proc/ {
            split($0, path, "/")
            if (path[3] in comm) printf "%s\t%s\t%s\n", path[3], $2, comm[path[3]]
            next
        }
        {
            rest = $0
            sub(/^.*\) /, "", rest)
            split(rest, field, " ")
            flags = field[7]
            if (int(flags / 2097152) % 2 == 1 && int(flags / 67108864) % 2 == 0) {
                name = $0
                sub(/^[0-9]+ \(/, "", name)
                sub(/\) [^)]*$/, "", name)
                comm[$1] = name
            }
        }'
}

# threads ID: every kernel thread that can be moved, to the CPUs that serve the OS
threads() {
    is_live || return 0
    list_of_threads=$(movable_threads)
    while IFS=$tab read -r pid now comm; do
        [ -n "$pid" ] || continue
        within "$now" && continue
        intersect "$now"
        to=${kept_home:-$housekeeping}
        case $pass in
        check) differs "$1" "$comm ($pid) is on CPUs $now" ;;
        keep) keep thread "$pid@$boot_id" "$comm" "$now" ;;
        write)
            if taskset -pc "$to" "$pid" >/dev/null 2>&1; then
                changed "$1" "$comm ($pid): CPUs $now -> $to"
            elif [ -d "/proc/$pid" ]; then
                complain "$1: $comm ($pid) cannot be moved"
            fi
            ;;
        esac
    done <<THREADS
$list_of_threads
THREADS
}

is_active() { [ -L "/run/systemd/units/invocation:$1" ]; }

# unit_off ID NAME
unit_off() {
    is_live && is_active "$2" || return 0
    case $pass in
    check) differs "$1" "$2 runs" ;;
    keep) keep unit "$2" - active ;;
    write) if systemctl stop "$2"; then changed "$1" "$2 is stopped"; else complain "$2 cannot be stopped"; fi ;;
    esac
}

# unit_on NAME: the unit that sets the values at every boot
unit_on() {
    is_live || return 0
    if [ "$pass" = write ] && [ "$units_changed" = 1 ]; then systemctl daemon-reload; fi
    is_active "$1" && return
    case $pass in
    check) differs hft-export "$1 does not run" ;;
    keep) keep unit "$1" - inactive ;;
    write) if systemctl start "$1"; then changed hft-export "$1 is started"; else complain "$1 cannot be started"; fi ;;
    esac
}

# output PATH: a file that a program makes
output() {
    [ "$pass" = keep ] || return 0
    if [ "$boot_changes" = 1 ]; then keep_file output "$1" -; fi
}

# made ID STALE PROGRAM ARGUMENTS...
made() {
    id=$1
    stale=$2
    shift 2
    case $pass in
    check) if [ "$stale" = 1 ] && ! is_kept made "$*"; then differs "$id" "$1 has to run"; fi ;;
    keep)
        if [ "$stale" = 1 ] && ! is_kept made "$*"; then boot_changes=1; fi
        if [ "$boot_changes" = 1 ]; then keep made "$*" - -; fi
        ;;
    write)
        [ "$boot_changes" = 1 ] || return 0
        if ! is_live; then
            say "not done: $id: no program is started for a directory; run \"$*\" in it"
        elif "$@" >/dev/null 2>"$state/said"; then
            changed "$id" "$* has run"
            note_outputs
        else
            complain "$id: $* failed: $(cat "$state/said")"
        fi
        ;;
    esac
}

# What the program made, so that an undo can tell it from what somebody else made since.
note_outputs() {
    printf %s "$kept" >"$state/list"
    : >"$state/outputs"
    while IFS=$tab read -r kind target ours before; do
        [ "$kind" = output ] || continue
        look "$target"
        printf '%s\t%s\n' "$target" "$is" >>"$state/outputs"
    done <"$state/list"
    rm -f "$state/list"
}

# variable ID BLOCK NAME VALUE: a variable of the environment block of GRUB
variable() {
    editor=
    for program in grub2-editenv grub-editenv; do
        if command -v "$program" >/dev/null; then editor=$program; fi
    done
    if [ -z "$editor" ]; then
        [ "$pass" = keep ] || complain "$1: neither grub2-editenv nor grub-editenv is here"
        return
    fi
    now=$("$editor" "$root$2" list | sed -n "s/^$3=//p")
    [ "$now" = "$4" ] && return
    case $pass in
    check) differs "$1" "$3 in $2" ;;
    keep) keep variable "$2 $3" - "$now" ;;
    write)
        if "$editor" "$root$2" set "$3=$4"; then changed "$1" "$3 in $2"; else complain "$1: $2 cannot be written"; fi
        ;;
    esac
}

# kargs ID ADD REMOVE: words of the next deployment of rpm-ostree
kargs() {
    is_live || {
        [ "$pass" = keep ] || say "not done: $1: rpm-ostree is not run in $root"
        return 0
    }
    line=" $(rpm-ostree kargs 2>/dev/null) "
    set -- "$1" "$2" "$3" ''
    for word in $2; do
        case $line in *" $word "*) ;; *) set -- "$1" "$2" "$3" "$4 --append-if-missing=$word" ;; esac
    done
    for word in $3; do
        case $line in *" $word "*) set -- "$1" "$2" "$3" "$4 --delete-if-present=$word" ;; esac
    done
    [ -n "$4" ] || return 0
    case $pass in
    check) differs "$1" "rpm-ostree kargs$4" ;;
    keep) keep kargs rpm-ostree - "$4" ;;
    write)
        # shellcheck disable=SC2086 # each is a word
        if rpm-ostree kargs $4 >/dev/null; then changed "$1" "rpm-ostree kargs$4"; else complain "$1: rpm-ostree failed"; fi
        ;;
    esac
}

# argument ID WORD: whether the running kernel was booted with it
argument() {
    [ "$pass" != keep ] && is_live || return 0
    read -r line </proc/cmdline
    case " $line " in
    *" $2 "*) ;;
    *) reboot=$((reboot + 1)) ;;
    esac
}

put_back() {
    case $4 in
    copy:*)
        rm -f "$root$2.hft-new"
        cp -a "$state/files/${4#copy:}" "$root$2.hft-new" && mv -f "$root$2.hft-new" "$root$2"
        ;;
    absent) rm -f "$root$2" ;;
    link:*) rm -f "$root$2" && ln -s "${4#link:}" "$root$2" ;;
    *) false ;;
    esac
}

undo_line() {
    case $1 in
    file)
        look "$2"
        if [ "$is" != "$3" ] && [ "$force" = 0 ]; then
            was=$4
            case $4 in
            copy:*)
                # shellcheck disable=SC2046 # two numbers
                set -- "$1" "$2" "$3" "$4" $(cksum <"$state/files/${4#copy:}")
                was=file:$5:$6
                ;;
            esac
            [ "$is" = "$was" ] && return
            complain "$2 was changed by somebody since; it is left alone (--force puts it back)"
            return
        fi
        if put_back "$@"; then say "put back: $2"; else complain "$2 cannot be put back"; fi
        ;;
    dir) rmdir "$root$2" 2>/dev/null || : ;;
    kernel)
        [ -e "$root$2" ] || return 0
        if { printf '%s\n' "$4" >"$root$2"; } 2>/dev/null; then
            say "put back: $2"
        else
            complain "$2 does not take $4 back"
        fi
        ;;
    irq)
        number=${2%@*}
        [ -e "$root/proc/irq/$number" ] || return 0
        { printf '%s\n' "$4" >"$root/proc/irq/$number/smp_affinity_list"; } 2>/dev/null || :
        ;;
    thread)
        pid=${2%@*}
        if [ "$(cat "/proc/$pid/comm" 2>/dev/null)" = "$3" ]; then taskset -pc "$4" "$pid" >/dev/null 2>&1 || :; fi
        ;;
    port)
        # shellcheck disable=SC2086 # port, option and word
        set -- $2 "$4"
        if [ -e "/sys/class/net/$1" ]; then ethtool "$2" "$1" "$3" "$4" >/dev/null 2>&1 || :; fi
        ;;
    variable)
        for program in grub2-editenv grub-editenv; do
            command -v "$program" >/dev/null || continue
            if [ -n "$4" ]; then set -- "$@" set "${2##* }=$4"; else set -- "$@" unset "${2##* }"; fi
            if "$program" "$root${2% *}" "$5" "$6"; then say "put back: ${2##* } in ${2% *}"; else complain "${2% *} cannot be put back"; fi
            break
        done
        ;;
    kargs)
        # shellcheck disable=SC2046 # each is a word
        rpm-ostree kargs $(printf %s "$4" | sed 's/--append-if-missing=/--gone=/g; s/--delete-if-present=/--append-if-missing=/g; s/--gone=/--delete-if-present=/g') >/dev/null ||
            complain "rpm-ostree failed"
        ;;
    unit)
        if is_live && [ "$4" = inactive ]; then systemctl stop "$2"; fi
        ;;
    esac
}

# What a program made goes back as it was while it still is what the program made; else the program runs again.
undo_outputs() {
    again=0
    while IFS=$tab read -r kind target ours before; do
        [ "$kind" = output ] || continue
        look "$target"
        if [ -f "$state/outputs" ] && grep -qxF "$target$tab$is" "$state/outputs"; then
            if put_back "$kind" "$target" "$ours" "$before"; then say "put back: $target"; else complain "$target cannot be put back"; fi
        else
            again=1
        fi
    done <"$state/before"
    [ "$again" = 1 ] || return 0
    while IFS=$tab read -r kind target ours before; do
        if [ "$kind" != made ] || ! is_live; then continue; fi
        # shellcheck disable=SC2086 # a program and its arguments
        if $target >/dev/null 2>&1; then say "run again: $target"; else complain "$target failed"; fi
    done <"$state/before"
}

undo() {
    [ -f "$state/before" ] || {
        say 'nothing to put back: this script has changed nothing here'
        exit 0
    }
    read_kept
    commit_kept
    awk '{ line[NR] = $0 } END { for (i = NR; i > 0; i--) print line[i] }' "$state/before" >"$state/reversed"
    while IFS=$tab read -r kind target ours before; do
        undo_line "$kind" "$target" "$ours" "$before"
    done <"$state/reversed"
    undo_outputs
    sync
    if is_live; then
        if [ -d /run/systemd/system ]; then systemctl daemon-reload; fi
        while IFS=$tab read -r kind target ours before; do
            if [ "$kind" = unit ] && [ "$before" = active ]; then
                if systemctl start "$target"; then say "started again: $target"; else complain "$target cannot be started"; fi
            fi
        done <"$state/before"
    fi
    [ "$failed" = 0 ] || die 1 "not all could be put back; what was there is still in $state"
    rm -rf "$state" "$run"
    say 'all is as it was before; boot arguments go with the next reboot'
}

# A directory has no kernel.
tell_absent() {
    if [ "$absent" -gt 0 ]; then say "$absent kernel values are not in $root: a boot sets them"; fi
}

main() {
    name=${0##*/}
    mode=apply root='' force=0
    while [ $# -gt 0 ]; do
        case $1 in
        --check | verify) mode=check ;;
        --undo) mode=undo ;;
        --boot) mode=boot ;;
        --force) force=1 ;;
        --root)
            root=${2-}
            [ -d "$root" ] || die 2 "--root needs a directory"
            shift
            ;;
        --help | -h)
            usage
            exit 0
            ;;
        # As tuned calls a script: what is left of a profile at shutdown stays for the next boot.
        start) mode=apply ;;
        stop) if [ "${2-}" = full_rollback ]; then mode=undo; else exit 0; fi ;;
        full_rollback | ignore_missing) ;;
        *)
            usage >&2
            exit 2
            ;;
        esac
        shift
    done
    self=$0
    [ -f "$self" ] || die 2 "start it from a file: sh FILE"
    state=$root$state_folder
    run=$root/run/$run_name
    [ -n "$root" ] || [ "$mode" = check ] || [ "$(id -u)" = 0 ] || die 5 "this needs root"
    failed=0 changes=0 reboot=0 absent=0 refused=0 boot_changes=0 units_changed=0 copies=0 kept='' fixed_irqs=''
    boot_id=$(cat "$root/proc/sys/kernel/random/boot_id" 2>/dev/null) || boot_id=none
    if [ -f "$run/fixed-irqs" ]; then fixed_irqs=$(cat "$run/fixed-irqs")$nl; fi
    expand "$housekeeping"
    os_cpus=$expanded

    if [ "$mode" = undo ]; then
        undo
        exit 0
    fi
    guard
    if [ "$mode" = boot ]; then
        pass='write'
        boot_settings
        say "$changes values set"
        exit "$failed"
    fi
    read_kept
    case $mode in
    check)
        pass='check'
        settings
        boot_settings
        unit_settings
        if [ "$failed" = 1 ]; then exit 1; fi
        tell_absent
        if [ "$changes" -gt 0 ]; then
            say "$changes differ; set them with: sh $self"
            exit 3
        fi
        if [ "$reboot" -gt 0 ]; then
            say "all is set; $reboot boot arguments wait for a reboot"
            exit 4
        fi
        say 'all is as it should be'
        ;;
    apply)
        pass='keep'
        settings
        boot_settings
        unit_settings
        [ "$refused" = 0 ] || die 1 'nothing was changed'
        commit_kept
        pass='write'
        settings
        boot_settings
        unit_settings
        sync
        tell_absent
        if [ "$changes" = 0 ]; then say 'nothing to change'; else say "$changes changed; undo with: sh $self --undo"; fi
        if [ "$reboot" -gt 0 ]; then say "$reboot boot arguments wait for a reboot"; fi
        ;;
    esac
    exit "$failed"
}

main "$@"

# Work of an administrator and of services on the CPUs that serve the OS: a package installed and removed, a kernel module
# loaded and unloaded, memory mapped and unmapped, frames through the network ports. It goes on until it is killed; how many
# rounds of each were made is the last line of /run/disturb.KIND.
# disturb.sh CPUS
set -eu
cpus=$1
umask 022

# A package of many small files: the package manager writes, syncs and renames each.
package=/run/disturb/package
mkdir -p "$package/DEBIAN" "$package/opt/lab-disturb"
cat > "$package/DEBIAN/control" <<'END'
Package: lab-disturb
Version: 1
Architecture: all
Maintainer: lab <lab@localhost>
Description: files that come and go
END
n=0
while [ "$n" -lt 40 ]; do
    head -c 20000 /dev/urandom > "$package/opt/lab-disturb/$n"
    n=$((n + 1))
done
dpkg-deb -Znone -b "$package" /run/disturb/package.deb > /dev/null

cat > /run/disturb/packages <<'END'
n=0
while :; do
    dpkg -i /run/disturb/package.deb && dpkg -P lab-disturb && sync
    n=$((n + 1))
    echo "$n" >> /run/disturb.packages
done
END
cat > /run/disturb/modules <<'END'
n=0
while :; do
    modprobe dummy && modprobe -r dummy
    n=$((n + 1))
    echo "$n" >> /run/disturb.modules
    sleep 0.5
done
END
cat > /run/disturb/memory.py <<'END'
import threading

# A buffer of this size is mapped when it is made and unmapped when it goes (malloc(3), M_MMAP_THRESHOLD), under threads that ran
# on several CPUs.
def storm():
    while True:
        area = bytearray(4 << 20)
        for at in range(0, len(area), 4096):
            area[at] = 1
        del area
        counts[0] += 1
        if counts[0] % 10 == 0:
            with open("/run/disturb.memory", "a") as file:
                file.write(f"{counts[0]}\n")

counts = [0]
for _ in range(3):
    threading.Thread(target=storm, daemon=True).start()
storm()
END
cat > /run/disturb/frames.py <<'END'
import os, socket, time

# The ports share a hub: what one sends, the others receive.
ports = [name for name in sorted(os.listdir("/sys/class/net"))
         if os.path.exists(f"/sys/class/net/{name}/device") and open(f"/sys/class/net/{name}/operstate").read() == "up\n"]
frame = b"\xff" * 6 + b"\x02\x00\x00\x00\x00\x01" + b"\x88\xb5" + bytes(100)
sockets = []
for name in ports:
    try:
        s = socket.socket(socket.AF_PACKET, socket.SOCK_RAW)
        s.bind((name, 0))
        sockets.append(s)
    except OSError:
        pass
n = 0
while True:
    for s in sockets:
        for _ in range(5):
            try:
                s.send(frame)
                n += 1
            except OSError:
                pass
    with open("/run/disturb.frames", "a") as file:
        file.write(f"{n}\n")
    time.sleep(0.05)
END
trap 'kill 0' EXIT
taskset -c "$cpus" sh /run/disturb/packages > /dev/null 2>&1 &
taskset -c "$cpus" sh /run/disturb/modules > /dev/null 2>&1 &
taskset -c "$cpus" python3 /run/disturb/memory.py > /dev/null 2>&1 &
taskset -c "$cpus" python3 /run/disturb/frames.py > /dev/null 2>&1 &
wait

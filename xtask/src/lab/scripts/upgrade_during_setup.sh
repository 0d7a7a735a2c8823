# Installs a package while the hftune of the former one is in the middle of a setup.
set -u
hftune setup --yes > /run/setup.out 2>&1 &
pid=$!
# In the middle: it has begun to write.
while kill -0 "$pid" 2>/dev/null && ! hftune history | grep -q interrupted; do sleep 0.1; done
dpkg --install "$1" > /run/dpkg.out 2>&1
echo "dpkg $?"
echo "runs $(readlink "/proc/$pid/exe")"
wait "$pid"
echo "setup $?"
cat /run/dpkg.out /run/setup.out

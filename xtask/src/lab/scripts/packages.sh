# A repository of small packages in the guest, under the names that hftune asks for: what is tested is how packages are found,
# installed, recorded and taken away, not what is in them.
set -e
repository=/srv/packages
rm -rf "$repository" /etc/apt/sources.list.d/lab.list
mkdir -p "$repository"
package() {
    name=$1 depends=$2
    dir=$(mktemp -d)
    mkdir -p "$dir/DEBIAN" "$dir/usr/share/$name"
    echo "$name" > "$dir/usr/share/$name/what"
    if [ "$name" = libvma ]; then
        mkdir -p "$dir/usr/lib/x86_64-linux-gnu" "$dir/etc"
        echo 'not a library' > "$dir/usr/lib/x86_64-linux-gnu/libvma.so"
        printf '# The file of the package.\napplication-id * *\nuse os udp_connect *:53:*:*\n' > "$dir/etc/libvma.conf"
        echo /etc/libvma.conf > "$dir/DEBIAN/conffiles"
    fi
    printf 'Package: %s\nVersion: 9.8.60-1\nArchitecture: amd64\nMaintainer: lab\nDescription: lab\n%s' "$name" \
        "${depends:+Depends: $depends
}" > "$dir/DEBIAN/control"
    chmod 755 "$dir"
    dpkg-deb --build --root-owner-group "$dir" "$repository/$name.deb" > /dev/null
    rm -rf "$dir"
    {
        dpkg-deb --field "$repository/$name.deb"
        echo "Filename: ./$name.deb"
        echo "Size: $(stat -c %s "$repository/$name.deb")"
        echo "SHA256: $(sha256sum "$repository/$name.deb" | cut -d ' ' -f 1)"
        echo
    } >> "$repository/Packages"
}
package lab-verbs ''
package libvma lab-verbs
package libvma-utils libvma
package ibverbs-providers ''
echo "deb [trusted=yes] file:$repository ./" > /etc/apt/sources.list.d/lab.list
apt-get -q -o Dir::Etc::sourcelist=sources.list.d/lab.list -o Dir::Etc::sourceparts=- update > /dev/null

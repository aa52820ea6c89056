#!/bin/bash
# A systemd of its own, alive: PID 1 of new namespaces, on a root that is gone with them. As root, on Linux.
#   unshare --mount --pid --fork --kill-child --uts --ipc --cgroup live_systemd.sh ROOT PYTHON SITE SOURCE
# ROOT is an empty folder, PYTHON a prefix of Python, SITE its packages, SOURCE the tree of the project.
set -e
root=$1
mount --make-rprivate /
mount -t tmpfs tmpfs "$root"
mkdir -p "$root"/{usr,opt/{python,site,src,digestd/bin},etc,proc,sys,dev,run,tmp,root,home,oldroot,var/{lib,log,tmp}}
mount --bind /usr "$root/usr"
mount -o remount,bind,ro "$root/usr"
mount --bind "$2" "$root/opt/python"
mount --bind "$3" "$root/opt/site"
mount --bind "$4" "$root/opt/src"
for link in bin sbin lib lib32 lib64; do ln -s "usr/$link" "$root/$link"; done
cp -a /etc/. "$root/etc/"
rm -rf "$root"/etc/systemd/system/*.wants "$root"/etc/rc?.d "$root/etc/fstab"
: >"$root/etc/machine-id"
printf '%s\n' '#!/bin/sh' 'export PYTHONPATH=/opt/src:/opt/site LD_LIBRARY_PATH=/opt/python/lib PYTHONDONTWRITEBYTECODE=1' \
    'exec /opt/python/bin/python3 -m digestd "$@"' >"$root/opt/digestd/bin/digestd"
chmod 755 "$root/opt/digestd/bin/digestd"
mount -t proc proc "$root/proc"
mount -t sysfs sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs tmpfs "$root/run"
mount -t tmpfs tmpfs "$root/dev"
mkdir "$root"/dev/{pts,shm,mqueue}
for device in null zero full random urandom tty; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
ln -s /proc/self/fd "$root/dev/fd"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
ln -s pts/ptmx "$root/dev/ptmx"
cd "$root"
pivot_root . oldroot
umount -l /oldroot
mount --make-rshared /
exec /usr/bin/env -i container=other PATH=/usr/sbin:/usr/bin /lib/systemd/systemd --system --unit=basic.target

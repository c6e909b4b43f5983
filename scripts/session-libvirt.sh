#!/bin/sh
# session-libvirt.sh DIR, in a mount namespace of its own (`unshare --mount --propagation unchanged`): libvirt has its directories built in, and
# here they are below DIR. Prints `ready`, and holds the namespace for
# the daemons that are to enter it, until its input ends.
set -e
directory=$1
mount --make-rslave / # what is mounted on the host later is seen in it as well
for name in etc:/etc lib:/var/lib run:/run log:/var/log cache:/var/cache; do
  mkdir -p "$directory/${name%%:*}" "${name#*:}/libvirt"
  mount --bind "$directory/${name%%:*}" "${name#*:}/libvirt"
done
cat >"$directory/etc/qemu.conf" <<'END'
security_driver = "none"
user = "root"
group = "root"
cgroup_controllers = []
namespaces = []
remember_owner = 0
END
printf 'auth_unix_ro = "none"\nauth_unix_rw = "none"\n' >"$directory/etc/libvirtd.conf"
: >"$directory/etc/virtlogd.conf"
echo ready
exec cat >/dev/null

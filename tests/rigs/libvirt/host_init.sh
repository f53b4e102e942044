#!/bin/bash
# The first process of one host: gives it a /run, an /etc/libvirt, a /var/lib/libvirt and cgroups of its own, then runs
# its libvirtd for ever. Called in new mount, UTS, PID, cgroup and network namespaces, with NAME, UUID, ADDRESS, HOSTS
# ("10.78.0.11 h1;…"), HOME_DIR and CGROUP set. When it is killed, everything of the host dies with it.
set -e
mount --make-rprivate /
hostname "$NAME"
mkdir -p "$HOME_DIR"/{etc,lib/qemu,log/qemu,cache,cgroup/cpu,cgroup/cpuacct,cgroup/cpuset}

for c in cpu cpuacct cpuset; do mount --bind "/sys/fs/cgroup/$c/$CGROUP" "$HOME_DIR/cgroup/$c"; done
umount -l -R /sys
mount -t sysfs sysfs /sys
mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
for c in cpu cpuacct cpuset; do
	mkdir "/sys/fs/cgroup/$c"
	mount --move "$HOME_DIR/cgroup/$c" "/sys/fs/cgroup/$c"
done

cp -an /etc/libvirt/. "$HOME_DIR/etc/" && rm -f "$HOME_DIR"/etc/qemu/networks/autostart/*
mkdir -p /var/log/libvirt /var/cache/libvirt /var/lib/libvirt
mount --bind "$HOME_DIR/etc" /etc/libvirt
mount --bind "$HOME_DIR/lib" /var/lib/libvirt
mount --bind "$HOME_DIR/log" /var/log/libvirt
mount --bind "$HOME_DIR/cache" /var/cache/libvirt
mount -t tmpfs -o mode=755 tmpfs /run
mkdir -p /run/lock /run/libvirt

echo "${UUID//-/}" >"$HOME_DIR/machine-id"
echo "$NAME" >"$HOME_DIR/hostname"
{
	echo 127.0.0.1 localhost
	tr ';' '\n' <<<"$HOSTS"
} >"$HOME_DIR/hosts"
touch /etc/machine-id
for file in machine-id hostname hosts; do mount --bind "$HOME_DIR/$file" "/etc/$file"; done

cat >/etc/libvirt/libvirtd.conf <<END
listen_tls = 0
listen_tcp = 1
listen_addr = "$ADDRESS"
auth_tcp = "none"
auth_unix_ro = "none"
auth_unix_rw = "none"
host_uuid = "$UUID"
log_outputs = "3:file:/var/log/libvirt/libvirtd.log"
END
cat >/etc/libvirt/qemu.conf <<END
security_driver = "none"
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
namespaces = [ ]
stdio_handler = "file"
cgroup_controllers = [ "cpu", "cpuacct", "cpuset" ]
migration_address = "0.0.0.0"
migration_host = "$ADDRESS"
keepalive_interval = 2
keepalive_count = 3
END
trap 'exit 0' TERM
while :; do
	libvirtd --listen || true
	while [ -e "$HOME_DIR/stay-down" ]; do sleep 0.2; done
	sleep 0.5
done

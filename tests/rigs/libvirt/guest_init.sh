#!/bin/busybox sh
# The only program of a guest: answers ping, HTTP and echo, burns CPU and dirties memory as its kernel's words say, and
# later when it is asked to: GET /cgi-bin/burn?2, /cgi-bin/dirty?32, /cgi-bin/stat.
/bin/busybox --install -s /bin
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mount -t tmpfs -o size=90% tmp /tmp
for module in $(cat /modules/order); do insmod "/modules/$module.ko"; done
address= burn=0 dirty=0
for word in $(cat /proc/cmdline); do
	case $word in
	address=*) address=${word#*=} ;;
	burn=*) burn=${word#*=} ;;
	dirty=*) dirty=${word#*=} ;;
	esac
done
ip link set lo up
ip link set eth0 up
ip addr add "$address" dev eth0
httpd -h /www -p 80
nc -ll -p 7 -e /bin/cat &
/bin/busy burn "$burn"
/bin/busy dirty "$dirty"
while :; do sleep 3600; done

#!/bin/busybox sh
# busy burn N: that many endless loops from now on. busy dirty MIB: write so many MiB of memory over and over.
for process in $(cat "/tmp/$1.running" 2>/dev/null); do kill "$process"; done
: >"/tmp/$1.running"
burn() { while :; do :; done; }
dirty() {
	dd if=/dev/urandom of=/tmp/some bs=1M count=1 2>/dev/null
	while :; do
		i=0
		while [ $i -lt "$1" ]; do
			dd if=/tmp/some of=/tmp/dirty bs=1M count=1 seek=$i conv=notrunc 2>/dev/null
			i=$((i + 1))
		done
		dd if=/dev/urandom of=/tmp/some bs=4k count=1 seek=$((i % 256)) conv=notrunc 2>/dev/null
	done
}
count=$2
[ "$1" = dirty ] && [ "$2" -gt 0 ] && count=1
i=0
while [ $i -lt "$count" ]; do
	"$1" "$2" &
	echo $! >>"/tmp/$1.running"
	i=$((i + 1))
done

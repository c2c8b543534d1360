#!/bin/sh
# Boots a Debian with systemd in an emulated machine and does there what docs/production.md says, as it is written:
# install, restart under load, share, reboot, remove. Takes about five minutes on two cores.
#
# Needs root, mmdebstrap, qemu-system-x86 and e2fsprogs. Emulated, since a machine of a CI seldom has virtualisation, and
# Debian's user-mode-linux does not start on processors with AMX ("ptrace set fp regs failed").
set -eu
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf --one-file-system "$work"' EXIT
trap 'exit 1' INT TERM
root=$work/root
mkdir "$root"
mmdebstrap --quiet --aptopt='Acquire::Check-Valid-Until "false"' --variant=minbase \
  --include=systemd,systemd-sysv,dbus,sudo,python3,python3-venv,curl,iproute2,ca-certificates,linux-image-cloud-amd64,zstd \
  bookworm "$root" >/dev/null 2>&1
for file in resolv.conf hosts pip.conf ssl/certs/ca-certificates.crt; do
  if [ -f "/etc/$file" ]; then cp -L "/etc/$file" "$root/etc/$file"; fi
done
git clone --quiet --no-hardlinks "$(git -C "$here" rev-parse --show-toplevel)" "$root/opt/source"
# What needs the network is typed before the boot.
chroot "$root" sh -exc 'cd /opt/source
  sh -ex <<END
$(python3 tools/boot/commands.py "Install it" --until "sudo MIDAIR_HOME=")
END
  chown -R root: /opt'
install -m 755 "$here/inside.sh" "$root/opt/inside.sh"
install -m 644 "$here/inside.service" "$root/etc/systemd/system/inside.service"
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
ln -s ../inside.service "$root/etc/systemd/system/multi-user.target.wants/inside.service"
cp "$root"/boot/vmlinuz-* "$work/kernel"
cp "$root"/boot/initrd.img-* "$work/initrd"
mke2fs -q -t ext4 -d "$root" "$work/disk" 2G
timeout 900 qemu-system-x86_64 -accel tcg,thread=multi -cpu max,la57=off -m 1G -smp 2 -display none -nodefaults \
  -serial "file:$work/console" -kernel "$work/kernel" -initrd "$work/initrd" \
  -append "root=/dev/vda rw console=ttyS0 quiet" -drive "file=$work/disk,format=raw,if=virtio,cache=unsafe" </dev/null
debugfs -R "cat /opt/result" "$work/disk" 2>/dev/null | tee "$work/result"
if [ "$(tail -n 1 "$work/result")" = "all is well" ]; then echo "1 passed, 0 failed"; else
  tail -n 20 "$work/console"; echo "0 passed, 1 failed"; exit 1; fi

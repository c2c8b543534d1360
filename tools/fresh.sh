#!/bin/sh
# Runs a command as an ordinary user in a fresh Debian, with a copy of what is committed here.
#
#   tools/fresh.sh SUITE PACKAGES COMMAND…       SUITE: bookworm, sid; PACKAGES: separated by commas
#
# The command does not see CI, which asks tests for programs (npm, Docker) that a minimal Debian does not have.
# Needs root and mmdebstrap. The root file system is removed afterwards. Certificates and the settings of pip are those of
# this machine, so that a registry behind a proxy is reached from inside, too.
set -eu
suite=$1 packages=$2
shift 2
root=$(mktemp -d)
tree=$(git rev-parse --show-toplevel)
clean_up() {
  umount -l "$root/dev" "$root/proc" 2>/dev/null || true
  rm -rf --one-file-system "$root"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# A mirror that lags behind is fresh enough: hence no check of the dates of its index.
mmdebstrap --quiet --aptopt='Acquire::Check-Valid-Until "false"' --variant=minbase \
  --include="ca-certificates,git,make,$packages" "$suite" "$root/" >/dev/null
chmod 755 "$root"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount --make-rslave "$root/dev"
for file in resolv.conf hosts pip.conf ssl/certs/ca-certificates.crt; do
  if [ -f "/etc/$file" ]; then cp -L "/etc/$file" "$root/etc/$file"; fi
done
chroot "$root" useradd --create-home --shell /bin/sh visitor
git clone --quiet --no-hardlinks "$tree" "$root/home/visitor/midair"
chroot "$root" chown -R visitor: /home/visitor/midair
chroot "$root" su visitor -c 'unset CI; cd ~/midair && PATH=/usr/local/bin:/usr/bin:/bin exec sh -ec "$1"' sh -- "$*"

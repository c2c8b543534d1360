#!/bin/sh
# Runs a command against Debian sid's Docker engine, the newest one that Debian has, in a root file system of its own.
#
#   tools/newest_engine.sh COMMAND…       the command finds the engine by DOCKER_HOST
#
# Needs root and mmdebstrap. Containers mount folders of /tmp alone. Everything is stopped and removed afterwards.
set -eu
root=$(mktemp -d)
shared=$(mktemp -d)
engine=''
clean_up() {
  if [ -n "$engine" ]; then kill "$engine" 2>/dev/null && wait "$engine" || true; fi
  for mounted in $(awk '{print $2}' /proc/mounts | grep -E "^($root|$shared)(/|$)" | sort -r); do
    umount -l "$mounted" 2>/dev/null || true
  done
  rm -rf --one-file-system "$root" "$shared"
}
trap clean_up EXIT
trap 'exit 1' INT TERM

# A mirror that lags behind is fresh enough: hence no check of the dates of its index.
mmdebstrap --quiet --aptopt='Acquire::Check-Valid-Until "false"' --variant=minbase \
  --include=ca-certificates,docker.io,iptables sid "$root/" >/dev/null
mkdir "$root/before"
# A mount namespace with a root of its own, since in a mere chroot the engine's `exec` ends up in this machine's root.
DOCKER_HOST=unix://$shared/docker.sock
export DOCKER_HOST
unshare --mount --propagation private sh -c '
  root=$1
  shift
  mount --bind "$root" "$root"
  for folder in proc sys dev tmp; do mount --rbind "/$folder" "$root/$folder"; done
  mount -t tmpfs tmpfs "$root/run"
  cd "$root"
  pivot_root . before
  umount -l /before
  exec "$@"' sh "$root" dockerd --data-root "$shared/data" --exec-root "$shared/exec" --pidfile "$shared/pid" \
  -H "$DOCKER_HOST" --insecure-registry 127.0.0.0/8 >"$shared/dockerd.log" 2>&1 &
engine=$!
until [ -S "$shared/docker.sock" ]; do
  kill -0 $engine || { tail -20 "$shared/dockerd.log" >&2; exit 1; }
  sleep 0.1
done
"$@"

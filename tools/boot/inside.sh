#!/bin/sh
# Runs at each boot of the emulated machine. Writes what it sees to /opt/result; the last line is the verdict.
exec >>/opt/result 2>&1
set -eux
export PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root
trap 'systemctl poweroff' EXIT
cd /opt/source/examples/hello

# What a section of docs/production.md says, as it is written.
typed() { python3 /opt/source/tools/boot/commands.py "$@" >/run/typed && sh -ex /run/typed; }
midair() { sudo -u deploy MIDAIR_HOME=/srv/midair /opt/midair/bin/midair "$@"; }

if [ ! -f /opt/rebooted ]; then
  touch /opt/rebooted
  typed 'Install it' --since 'sudo MIDAIR_HOME='
  systemctl is-active midair
  curl -sS localhost:8000
  mkfifo /opt/stop
  python3 /opt/source/tests/load 127.0.0.1:8000 --get 2 --pause 0.1 --patience 60 </opt/stop >/opt/load &
  load=$!
  exec 9>/opt/stop
  systemctl restart midair
  typed 'Upgrade midair' --since 'sudo -iu'
  typed 'Share it'
  systemctl is-active midair
  test "$(systemctl show -P MainPID midair)" = "$(midair daemon status --json | python3 -c 'import json, sys; print(json.load(sys.stdin)["pid"])')"
  test "$(systemctl show -P NRestarts midair)" = 0
  systemctl stop midair
  curl -sS localhost:8000
  systemctl start midair
  exec 9>&-
  wait $load
  tail -n 1 /opt/load
  chmod 777 /opt/midair/bin
  ! MIDAIR_HOME=/srv/midair /opt/midair/bin/midair daemon install
  chmod 755 /opt/midair/bin
  trap - EXIT
  systemctl reboot
else
  for _ in $(seq 120); do curl -sS localhost:8000 && break; sleep 1; done
  midair status
  typed 'Remove it'
  ! curl -sS localhost:8000
  ! systemctl is-enabled midair
  ! pgrep -u deploy
  test ! -e /opt/midair -a ! -e /srv/midair
  set +x
  echo "all is well"
fi

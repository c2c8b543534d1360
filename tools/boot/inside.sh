#!/bin/sh
# Runs at each boot of the emulated machine. Writes what it sees to /opt/result; the last line is the verdict.
exec >>/opt/result 2>&1
set -eux
export PATH=/opt/midair/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root MIDAIR_HOME=/srv/midair
trap 'systemctl poweroff' EXIT
cd /opt/source/examples/hello

if [ ! -f /opt/rebooted ]; then
  touch /opt/rebooted
  midair daemon install
  systemctl is-active midair
  midair up
  curl -sS localhost:8000
  mkfifo /opt/stop
  python3 /opt/source/tests/load 127.0.0.1:8000 --get 2 --pause 0.1 --patience 60 </opt/stop >/opt/load &
  load=$!
  exec 9>/opt/stop
  systemctl restart midair
  midair daemon restart
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
  ! midair daemon install
  chmod 755 /opt/midair/bin
  trap - EXIT
  systemctl reboot
else
  for _ in $(seq 120); do curl -sS localhost:8000 && break; sleep 1; done
  midair status
  midair daemon uninstall
  curl -sS localhost:8000
  ! systemctl is-enabled midair
  set +x
  echo "all is well"
fi

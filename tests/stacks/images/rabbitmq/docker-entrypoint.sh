#!/bin/sh
# Writes the first user into the configuration, then becomes the broker as "rabbitmq".
set -eu
if [ "${1#rabbitmq}" != "$1" ] && [ "$(id -u)" = 0 ]; then
  chown -R rabbitmq: /var/lib/rabbitmq /etc/rabbitmq /var/log/rabbitmq
  exec gosu rabbitmq "$0" "$@"
fi
if [ "$1" = rabbitmq-server ]; then
  {
    echo "loopback_users.guest = false"
    echo "default_user = ${RABBITMQ_DEFAULT_USER:-guest}"
    echo "default_pass = ${RABBITMQ_DEFAULT_PASS:-guest}"
    echo "default_vhost = ${RABBITMQ_DEFAULT_VHOST:-/}"
  } >/etc/rabbitmq/rabbitmq.conf
fi
exec "$@"

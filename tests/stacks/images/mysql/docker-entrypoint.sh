#!/bin/sh
# Prepares the data directory as root, makes a new database once, then becomes the server as "mysql".
set -eu
case "${1:-}" in -*) set -- mysqld "$@" ;; esac
if [ "$1" = mysqld ] && [ "$(id -u)" = 0 ]; then
  mkdir -p /var/lib/mysql /run/mysqld
  chown -R mysql: /var/lib/mysql /run/mysqld
  exec gosu mysql "$0" "$@"
fi
if [ "$1" = mysqld ] && [ ! -d /var/lib/mysql/mysql ]; then
  : "${MYSQL_ROOT_PASSWORD:?Database is uninitialized and password option is not specified}"
  mariadb-install-db --datadir=/var/lib/mysql --skip-test-db --auth-root-authentication-method=normal >/dev/null
  {
    echo "ALTER USER root@localhost IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';"
    echo "CREATE USER root@'%' IDENTIFIED BY '$MYSQL_ROOT_PASSWORD';"
    echo "GRANT ALL ON *.* TO root@'%' WITH GRANT OPTION;"
    if [ -n "${MYSQL_DATABASE:-}" ]; then echo "CREATE DATABASE \`$MYSQL_DATABASE\`;"; fi
    if [ -n "${MYSQL_USER:-}" ]; then
      echo "CREATE USER '$MYSQL_USER'@'%' IDENTIFIED BY '$MYSQL_PASSWORD';"
      echo "GRANT ALL ON \`$MYSQL_DATABASE\`.* TO '$MYSQL_USER'@'%';"
    fi
  } | sed "1i FLUSH PRIVILEGES;" | mariadbd --bootstrap --datadir=/var/lib/mysql 2>/dev/null
  echo "MySQL init process done. Ready for start up."
fi
if [ "$1" = mysqld ]; then
  shift
  set -- mariadbd --datadir=/var/lib/mysql --bind-address=0.0.0.0 --skip-name-resolve "$@"
fi
exec "$@"

#!/bin/sh
# Fills in the templates of the configuration from the environment.
set -e
for file in /etc/nginx/templates/*.template; do
  if [ -f "$file" ]; then
    python3 -c 'import os, sys; print(os.path.expandvars(sys.stdin.read()))' <"$file" \
      >"/etc/nginx/conf.d/$(basename "$file" .template)"
  fi
done
exec "$@"

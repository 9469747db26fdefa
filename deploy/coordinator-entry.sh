#!/bin/sh
# Starts the coordinator in its container: reads the database's password as root, and goes on as the user `node`.
set -eu

password=/run/secrets/database-password
if [ -e "$password" ]; then
  PGPASSWORD=$(cat "$password")
  export PGPASSWORD
fi
exec setpriv --reuid node --regid node --init-groups --no-new-privs distrofarm-coordinator

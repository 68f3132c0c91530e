#!/bin/sh
# Makes the secrets of a new installation in deploy/secrets; never changes one that is there.
# Keep a copy of the folder somewhere safe: without encryption_keys the channels must all be connected again.
set -eu
cd "$(dirname "$0")"
umask 077
mkdir -p secrets
new() { # NAME COMMAND...: what the command prints, unless the file exists
  file="secrets/$1"; shift
  [ -s "$file" ] || "$@" > "$file"
}
random() { head -c "$1" /dev/urandom | base64 | tr -d '\n'; }
random_hex() { head -c "$1" /dev/urandom | od -An -tx1 | tr -d ' \n'; }
key_ring() { printf 'k1:%s' "$(random 32)"; }
address() { printf 'postgresql+psycopg://contentcaster:%s@postgres:5432/contentcaster' "$(cat secrets/postgres_password)"; }
console_address() { printf 'redis://:%s@console-redis:6379/0' "$(cat secrets/console_redis_password)"; }
console_conf() {
  printf 'requirepass %s\nsave ""\nappendonly no\nmaxmemory 512mb\nmaxmemory-policy volatile-ttl\n' \
    "$(cat secrets/console_redis_password)"
  printf 'notify-keyspace-events K$sgxe\n'
}
new postgres_password random_hex 24
new console_redis_password random_hex 24
new console_redis_conf console_conf
new console_redis_url console_address
new secret_key random 48
new encryption_keys key_ring
new database_url address
# The containers read them as user 10001 (and Postgres as its own), so the files must be readable inside; the folder keeps
# everybody else out.
chmod 700 secrets
chmod 644 secrets/*
ls secrets

#!/usr/bin/env bash
# Does the part of the official entry point that compose.yaml depends on. An empty volume becomes a cluster in PGDATA,
# whose server listens only on its socket during the set-up. A superuser's password is required. Connections over the
# socket need no password, connections over the network do.
set -euo pipefail

[[ ${1-} == postgres ]] || exec "$@"
if ((EUID == 0)); then
    chmod 700 "$PGDATA"
    chmod 3775 /var/run/postgresql
    find "$PGDATA" /var/run/postgresql ! -user postgres -exec chown postgres {} +
    exec gosu postgres "$0" "$@"
fi
if [[ ! -s $PGDATA/PG_VERSION ]]; then
    [[ ${POSTGRES_PASSWORD-} ]] || { echo 'Error: Database is uninitialized and superuser password is not specified.' >&2 && exit 1; }
    initdb --username=postgres --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD")
    printf '\nhost all all all scram-sha-256\n' >>"$PGDATA/pg_hba.conf"
    pg_ctl --wait --options="-c listen_addresses=''" start
    psql --username=postgres --dbname=postgres --command="CREATE DATABASE ${POSTGRES_DB:-postgres}"
    pg_ctl --wait --mode=fast stop
fi
exec "$@"

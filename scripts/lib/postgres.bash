# The private PostgreSQL cluster: one socket in a directory that only its user can enter, no port, no password. It uses
# Debian's binaries, or those of the directory POSTGRES_BIN, but never Debian's service.

database=reengagement

is_private_cluster() { [[ -z ${DATABASE_URL-} ]]; }

cluster_url() { # database
    printf 'postgresql:///%s?host=%s&port=5432&user=postgres' "$1" "$workspace/postgres"
}

database_url() { printf '%s' "${DATABASE_URL:-$(cluster_url "$database")}"; }

# PostgreSQL refuses to run as root, and its tools complain about a working directory that they cannot enter.
as_postgres() {
    local program=$1 version=15
    shift
    [[ ! -r $workspace/postgres/data/PG_VERSION ]] || version=$(<"$workspace/postgres/data/PG_VERSION")
    program=${POSTGRES_BIN:-/usr/lib/postgresql/$version/bin}/$program
    [[ -x $program ]] || fail "PostgreSQL $version is not installed: there is no $program; run scripts/install"
    (
        cd /
        if is_root; then exec runuser -u postgres -- "$program" "$@"; else exec "$program" "$@"; fi
    ) </dev/null 9>&-
}

# Prints the pid of PostgreSQL's own file if that process belongs to this cluster.
postgres_pid() {
    local data=$workspace/postgres/data pid
    { read -r pid <"$data/postmaster.pid" && start_tick "$pid" >/dev/null; } 2>/dev/null || return 1
    tr '\0' ' ' <"/proc/$pid/cmdline" | grep -qF -- " $data " && printf '%s' "$pid"
}

postgres_create() {
    local directory=$workspace/postgres
    [[ ! -d $directory/data ]] || return 0
    say "creating a PostgreSQL cluster in $directory"
    rm -rf -- "$directory"
    mkdir -m 700 -- "$directory"
    ! is_root || chown postgres -- "$directory"
    as_postgres initdb --pgdata="$directory/data.new" --username=postgres --encoding=UTF8 \
        --locale=C.UTF-8 --auth-local=trust --auth-host=reject --no-sync \
        >"$STACK_DIR/log/initdb.log" 2>&1 || fail_with_log "$STACK_DIR/log/initdb.log" "initdb failed"
    cat >>"$directory/data.new/postgresql.conf" <<-'END'
		listen_addresses = ''
		port = 5432
		max_connections = 100
		timezone = 'UTC'
		log_timezone = 'UTC'
		log_parameter_max_length = 0
		log_parameter_max_length_on_error = 0
	END
    # Renamed only when it is complete.
    mv -- "$directory/data.new" "$directory/data"
}

postgres_start() {
    local directory=$workspace/postgres
    ! postgres_pid >/dev/null || return 0
    postgres_create
    clear_after_kill "$directory"
    say "starting PostgreSQL"
    as_postgres pg_ctl start --wait --timeout=60 --silent --pgdata="$directory/data" \
        --log="$directory/log" --options="-c unix_socket_directories=$directory" ||
        fail_with_log "$directory/log" "PostgreSQL did not start"
    record_process postgres "$(postgres_pid)"
    psql_cluster --command="SELECT 1 FROM pg_database WHERE datname = '$database'" | grep -q 1 ||
        psql_cluster --command="CREATE DATABASE $database"
}

# A killed PostgreSQL leaves its pid in two files. PostgreSQL refuses to start while any process has that pid, even a
# zombie or another program. The files also protect the data from child processes that have not ended yet, so they are
# removed only after those.
clear_after_kill() { # directory
    local deadline=$((EPOCHSECONDS + 20))
    while has_process_within "$1/data"; do
        ((EPOCHSECONDS <= deadline)) || fail "a PostgreSQL without its first process still works in $1"
        sleep 0.1
    done
    rm -f -- "$1/data/postmaster.pid" "$1"/.s.PGSQL.*
}

# The working directory of each PostgreSQL process is the data directory.
has_process_within() { # directory
    local pid
    for pid in $(pgrep -x postgres); do
        [[ ! "/proc/$pid/cwd" -ef $1 ]] || return 0
    done
    return 1
}

psql_cluster() {
    PGCONNECT_TIMEOUT=10 psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$(cluster_url postgres)" "$@" </dev/null 9>&-
}

postgres_stop() {
    if postgres_pid >/dev/null; then
        as_postgres pg_ctl stop --wait --timeout=60 --silent --mode=fast --pgdata="$workspace/postgres/data" ||
            as_postgres pg_ctl stop --wait --timeout=10 --silent --mode=immediate --pgdata="$workspace/postgres/data" ||
            say "PostgreSQL did not stop"
    fi
    # Removes the files of a killed cluster.
    rm -f -- "$workspace"/postgres/.s.PGSQL.* "$state/postgres.process"
}

apply_sql() { on_database "$STACK_DIR/log/migrate.log" "applying sql/" "$root/sql/migrate"; }

load_demo() { on_database "$STACK_DIR/log/demo.log" "loading demo data" "$root/sql/demo"; }

# Runs a command that changes a database. The caller's own database is named in the output first.
on_database() { # log, what it does, command
    local log=$1 what=$2 VERBOSE=${VERBOSE-}
    shift 2
    is_private_cluster || { VERBOSE=1 && what+=" in $(DATABASE_URL=$(database_url) "$root/sql/client" --name)"; }
    DATABASE_URL=$(database_url) quietly "$log" "$what" "$@" 9>&- || exit
}

# Demo data are loaded again on another day, because their dates are relative to now, and for another size. Contacts
# that were logged on the same day stay.
refresh_demo() {
    local made=$workspace/postgres/demo wanted
    wanted="$(date -u +%F) ${ORGANIZATIONS-} ${PATIENTS-} $(cat "$root"/sql/demo* 2>/dev/null | sha256sum)"
    [[ -r $made && $(<"$made") == "$wanted" ]] || {
        load_demo
        printf '%s\n' "$wanted" >"$made"
    }
}

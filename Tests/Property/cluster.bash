# Sourced by the scripts that run the property test. Starts a private PostgreSQL, and stops it when the script ends.

. "${BASH_SOURCE[0]%/*}/../../scripts/lib/common.bash"

# The caller's settings are for another stack.
unset "${!PG@}" "${!STACK_@}" DATABASE_URL DATABASE_ROLE
export PYTHONDONTWRITEBYTECODE=1

start_cluster() {
    temporary=$(mktemp -d "${TMPDIR:-/tmp}/reengagement-property.XXXXXXXX")
    trap stop_cluster EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
# For root, the stack runs PostgreSQL as another user, who must be able to enter this directory.
    chmod 755 -- "$temporary"
    stack postgres-start
    # The data need not survive a power failure.
    psql_of postgres --command='ALTER SYSTEM SET fsync = off' --command='SELECT pg_reload_conf()' >/dev/null
}

stop_cluster() {
    local status=$?
    trap '' INT TERM HUP
    [[ -z ${job-} ]] || kill "$job" 2>/dev/null || true
    stack postgres-stop || true
    stack down || true
    rm -rf -- "$temporary"
    exit "$status"
}

stack() { STACK_DIR=$temporary/stack "$root/scripts/stack" "$@"; }

url_of() { stack env | sed -n "s|^DATABASE_URL=postgresql:///reengagement|postgresql:///$1|p"; } # database

psql_of() { # database, options…
    local url
    url=$(url_of "$1")
    psql -X -q -A -t -v ON_ERROR_STOP=1 -d "$url" "${@:2}" </dev/null
}

# Creates a database by the migrations of one sql/ folder. Its default collation must not be the order by byte, which
# the responses have: a forgotten COLLATE "C" would not show otherwise.
create_database() { # name, sql folder
    psql_of postgres --command="CREATE DATABASE $1 TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8' LOCALE_PROVIDER icu ICU_LOCALE 'en-US'"
    DATABASE_URL=$(url_of "$1") timeout 120 "$2/migrate"
}

# Runs in the background, because bash handles a signal only between commands. The sessions have timeouts of their own:
# this one, in seconds, ends a test that hangs in spite of them. It allows for the random part (MINUTES), the directed
# cases on a slow machine, and the search for a shorter sequence.
run_property() { # database, sql folder, MINUTES, SEED, SHRINK_SECONDS
    local seconds test=property.py
    [[ ${OVER_HTTP-} != 1 ]] || test=over_http.py
    seconds=$(awk -v minutes="$3" -v shrink="$5" 'BEGIN { print int(minutes * 60 + shrink + 600) }')
    PROPERTY_DATABASE_URL=$(url_of "$1") PROPERTY_SQL=$2 MINUTES=$3 SEED=$4 SHRINK_SECONDS=$5 \
        PROPERTY_SERVER=${SERVER_BINARY:-$root/${BUILD_DIR:-.build}/release/reengagement-api} timeout "$seconds" \
        /usr/bin/python3 "$root/Tests/Property/$test" &
    job=$!
    local status=0
    wait "$job" || status=$?
    job=
    return "$status"
}

# The scripts in the parent folder source this file. They set maintenance (the connection string of the maintenance
# database), sql (the path of sql/) and work (a temporary directory).

failures=0 number=0
# For ../../../sql/questions.sql.
export SQL_FOLDER=$sql

# The connection string of another database of the same server, optionally for another role.
url() {
    local options=${2:+-c role=$2}
    case $maintenance in
        postgres://* | postgresql://*)
            local mark='?'; [[ $maintenance == *\?* ]] && mark='&'
            options=${options// /%20} options=${options//=/%3D}
            printf '%s%sdbname=%s%s' "$maintenance" "$mark" "$1" "${options:+&options=$options}" ;;
        *) printf "%s dbname=%s %s" "$maintenance" "$1" "${options:+options='${options}'}" ;;
    esac
}
psql_in() { local db=$1; shift; psql -XqAt -v ON_ERROR_STOP=1 -d "$(url "$db")" "$@"; }
admin() { psql -XqAt -v ON_ERROR_STOP=1 -d "$maintenance" "$@"; }
create() { admin -c "CREATE DATABASE $1 TEMPLATE template0 ENCODING 'UTF8' ${2:-}"; }
# pg_prove accepts only the name of a database, not a connection string.
prove() {
    local db=$1; shift
    printf '#!/bin/sh\nexec psql -d "$PROVED_DATABASE" "$@"\n' > "$work/psql"; chmod +x "$work/psql"
    PROVED_DATABASE=$(url "$db") pg_prove --psql-bin "$work/psql" "$@"
}
migrate() { DATABASE_URL=$(url "$1" "${2:-}") "${3:-$sql}/migrate"; }

ok() { number=$((number + 1)); printf 'ok %s - %s\n' $number "$1"; }
not_ok() { number=$((number + 1)); failures=$((failures + 1)); printf 'not ok %s - %s\n' $number "$1"; shift; printf '#   %s\n' "$@"; }
is() { if [[ $1 == "$2" ]]; then ok "$3"; else not_ok "$3" "have: $1" "want: $2"; fi; }
succeeds() { local title=$1 output; shift; if output=$("$@" 2>&1); then ok "$title"; else not_ok "$title" "$output"; fi; }
# The command must fail with a single line of output, which matches the pattern.
refuses() {
    local title=$1 pattern=$2 output; shift 2
    if output=$("$@" 2>&1); then not_ok "$title" 'it was accepted'
    elif [[ $output =~ $pattern && $(wc -l <<< "$output") == 1 ]]; then ok "$title"
    else not_ok "$title" "$output"; fi
}
finish() {
    printf '1..%s\n' "$number"
    (( failures == 0 )) || { printf '# %s of %s failed\n' "$failures" "$number"; exit 1; }
}

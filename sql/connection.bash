# Sourced by the scripts beside it, which have a `fail`: looks whether the database that DATABASE_URL names answers.

# psql quotes hosts and names. Of a password with a raw @ in it, libpq takes the rest for a host's name; so only what is known
# to be no part of a connection string is passed on.
known_reasons='Name or service not known|Temporary failure in name resolution|No address associated with hostname'
known_reasons+='|Connection refused|Connection timed out|No route to host|Network is unreachable|No such file or directory'
known_reasons+='|Permission denied|timeout expired|password authentication failed|no password supplied|no pg_hba.conf entry'
known_reasons+='|too many (clients|connections)|connection slots are reserved|(role|database) "[^"]*" does not exist'
known_reasons+='|the database system is (starting up|shutting down|in recovery mode)|server closed the connection unexpectedly'
known_reasons+='|certificate verify failed|does not match host name|root certificate file|private key file|group or world access'
known_reasons+='|server does not support SSL, but SSL was required|session is read-only|invalid [a-z_]+ value'
unreadable='invalid URI|invalid connection option|in connection info string|percent-encoded token'
known_reasons+="|$unreadable"

# Spells out controls, marks that are not seen or turn the direction, and separators of lines (perl is part of every Debian).
printable() {
    perl -CSD -pe 'BEGIN { $| = 1 } s/([^\n\P{C}]|[\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}])/sprintf "\\u{%X}", ord $1/ge'
}

check_connection() {
    local said reasons
    [[ -n ${DATABASE_URL:-} ]] || fail 'DATABASE_URL is not set; it takes any libpq connection string'
    command -v psql > /dev/null || fail 'psql is missing (Debian: postgresql-client)'
    said=$(psql -X -q -d "$DATABASE_URL" -c '' 2>&1 > /dev/null < /dev/null) && return
    reasons=$(grep -oE "$known_reasons" <<< "$said" | sed -E 's/"[^"]*" //; s/^('"$unreadable"')$/it is no connection string/' |
        sort -u | paste -sd ';' | sed 's/;/, /g') || true
    fail "the database that DATABASE_URL names does not answer${reasons:+: $reasons}"
}

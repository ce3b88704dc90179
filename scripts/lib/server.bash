# Starts and stops the server, and sets its environment.

binary=${SERVER_BINARY:-$root/${BUILD_DIR:-.build}/release/reengagement-api}
server_log=$STACK_DIR/log/server.log

. "${BASH_SOURCE[0]%/*}/variables.bash"

# Prints the absolute path of a socket, or host:port unchanged.
listen_address() { # FCGI_LISTEN or LIVE_LISTEN
    local address=${!1-}
    case $1 in
        FCGI_LISTEN) address=${address:-$workspace/run/reengagement.sock} ;;
        LIVE_LISTEN) address=${address:-$workspace/run/live.sock} ;;
    esac
    if is_socket_path "$address"; then realpath -ms -- "$address"; else printf '%s' "$address"; fi
}

is_socket_path() { # address
    [[ $1 == */* || ! $1 =~ :[0-9]+$ ]]
}

# Completes the caller's environment. An empty CORS_ALLOWED_ORIGINS allows no origin.
set_server_environment() {
    local url address live
    url=$(database_url)
    address=$(listen_address FCGI_LISTEN)
    live=$(listen_address LIVE_LISTEN)
    if uses_own_keys; then
        make_key_pair
        CLERK_JWT_KEY=$(<"$keys/public.pem")
        CLERK_ISSUER=${CLERK_ISSUER:-https://clerk.localhost}
        state_set own-keys yes
    else
        rm -f -- "$state/own-keys"
    fi
    if [[ ! ${SECRETS_KEY_FILE-} ]]; then
        make_secrets_key
        SECRETS_KEY_FILE=$secrets_key
    fi
    # The developer's own receiver is on this machine.
    export SECRETS_KEY_FILE WEBHOOK_ALLOW_PRIVATE=${WEBHOOK_ALLOW_PRIVATE:-1}
    export DATABASE_URL=$url FCGI_LISTEN=$address LIVE_LISTEN=$live CLERK_JWT_KEY=${CLERK_JWT_KEY-}
    export CLERK_ISSUER=${CLERK_ISSUER-} DATABASE_LOGIN=${DATABASE_LOGIN:-any}
    export CORS_ALLOWED_ORIGINS=${CORS_ALLOWED_ORIGINS-$default_origins}
    # Without this, a crashed Swift program waits for input on a terminal.
    export SWIFT_BACKTRACE=${SWIFT_BACKTRACE:-interactive=no}
    [[ $CLERK_JWT_KEY ]] || unset CLERK_JWT_KEY
}

check_server_configuration() {
    [[ -x $binary ]] || fail "there is no $binary: run scripts/build"
    (
        set_server_environment
        exec "$binary" --check-config
    ) >/dev/null </dev/null 9>&- || fail "the server refuses its environment, as reported above"
}

# A digest of everything that a restart of the server would reread.
server_fingerprint() {
    (
        set_server_environment
        stat -Lc '%i %Y %s' -- "$binary"
        for name in "${server_variables[@]}"; do printf '%s=%s\0' "$name" "${!name-}"; done
    ) | sha256sum
}

server_start() {
    local fingerprint variable address pid
    local -A before
    check_sign_in
    [[ -x $binary ]] || fail "there is no $binary: run scripts/build"
    fingerprint=$(server_fingerprint)
    if is_running server; then
        [[ $(state_get server-fingerprint) != "$fingerprint" ]] || return 0
        say "the server's binary or environment has changed: restarting it"
        server_stop
    fi
    say "starting the server"
    for variable in FCGI_LISTEN LIVE_LISTEN; do
        address=$(listen_address "$variable")
        before[$address]=$(socket_identity "$address")
    done
    state_set serves "$(is_private_cluster && printf 'the private cluster' || printf 'a database of the caller')"
    launch_server &
    # The shell must not report the end of the process. This script does.
    disown
    pid=$!
    for address in "${!before[@]}"; do wait_for_server "$pid" "$address" "${before[$address]}"; done
    state_set server-fingerprint "$fingerprint"
    state_set issuer "${CLERK_ISSUER:-https://clerk.localhost}"
    state_set authorized-parties "${CLERK_AUTHORIZED_PARTIES-}"
    state_set token-max-lifetime "${TOKEN_MAX_LIFETIME:-86400}"
}

# Runs in a process of its own, which becomes the server. It is recorded before that, so that it can be stopped even if
# this script is killed. It has its own session, so Ctrl-C reaches only `stack run`, which stops everything in order.
# As root the server stays root, because only root may be able to read the binary and the files that variables name. Its
# group is the socket's group.
launch_server() {
    local group=()
    set_server_environment
    exec </dev/null >>"$server_log" 2>&1 9>&-
    record_process server "$BASHPID"
    ! is_root || group=(setpriv --regid "$socket_group" --clear-groups --)
    # A shell's background job starts with these two signals ignored.
    exec "${group[@]}" env --default-signal=INT,QUIT setsid "$binary"
}

wait_for_server() { # pid, address, what was there before
    local deadline=$((EPOCHSECONDS + 20))
    until is_listening "$2" "$3"; do
        start_tick "$1" >/dev/null || fail_with_log "$server_log" "the server did not start"
        ((EPOCHSECONDS <= deadline)) || fail_with_log "$server_log" "the server does not listen on $2"
        sleep 0.05
    done
}

# The socket of a killed server, or of another running one, does not count.
is_listening() { # address, what was there before
    local host=${1%:*}
    if is_socket_path "$1"; then
        [[ -S $1 && $(socket_identity "$1") != "$2" ]]
    else
        # Removes the brackets of an IPv6 address.
        host=${host#[} host=${host%]}
        (exec 3<>"/dev/tcp/$host/${1##*:}") 2>/dev/null
    fi
}

socket_identity() { # path
    stat -c '%i %z' -- "$1" 2>/dev/null || true
}

# The server promises to end within 10 s.
server_stop() {
    stop_process server TERM 12
    rm -f -- "$state/server-fingerprint"
}

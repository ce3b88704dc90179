# Starts and stops the local nginx, and chooses its ports.

nginx_log=$STACK_DIR/log/nginx-error.log

nginx_run() {
    # Without -e, nginx opens its compiled-in log, which only root may write.
    nginx -p "$STACK_DIR/" -c "$nginx_configuration" -e "$nginx_log" "$@" </dev/null 9>&-
}

listen() { # port, parameters
    printf 'listen 127.0.0.1:%s%s;\n' "$1" "$2"
}

is_port_free() { # port
    ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null
}

# The port that the variable names, or the first free port from the default on. The port of this stack's nginx counts
# as free.
choose_port() { # variable, default, port already given away
    local asked=${!1-} own port
    own=$(is_running nginx && state_get "$1" || true)
    if [[ $asked ]]; then
        is_number_between "$asked" 1 65535 || fail "$1: \"$asked\" is not a port"
        [[ $asked != "${3-}" ]] || fail "$1: port $asked is the other port's too"
        [[ $asked == "$own" ]] || is_port_free "$asked" || fail "$1: port $asked is taken; name another or none"
        printf '%s' "$asked"
        return
    fi
    if [[ $own ]]; then
        printf '%s' "$own"
        return
    fi
    for ((port = $2; port < 65536; port++)); do
        if [[ $port != "${3-}" && $port != "${HTTP_PORT-}" ]] && is_port_free "$port"; then
            printf '%s' "$port"
            return
        fi
    done
    fail "$1: no port from $2 on is free"
}

# Refuses a wrong address or origin before anything is started.
check_nginx_variables() {
    local https
    https=$(choose_port HTTPS_PORT 8443)
    choose_port HTTP_PORT 8000 "$https" >/dev/null
    origins_map "${CORS_ALLOWED_ORIGINS-$default_origins}" >/dev/null
    upstream_address FCGI_LISTEN >/dev/null
    upstream_address LIVE_LISTEN >/dev/null
}

nginx_start() {
    local https http attempt
    check_sign_in
    make_certificate
    copy_pages
    is_running nginx || nginx_stop
    for attempt in 1 2 3 4 5; do
        https=$(choose_port HTTPS_PORT 8443)
        http=$(choose_port HTTP_PORT 8000 "$https")
        render_nginx "$https" "$http"
        if is_running nginx; then
            is_changed_configuration || return 0
            say "nginx's configuration has changed: restarting it"
            nginx_stop
        fi
        rm -rf -- "$STACK_DIR/nginx"
        mv -- "$STACK_DIR/nginx.new" "$STACK_DIR/nginx"
        say "starting nginx"
        if nginx_run 2>"$state/nginx-start.log"; then
            record_nginx "$https" "$http"
            [[ ${HTTPS_PORT-} || $https == 8443 ]] || say "HTTPS_PORT is $https, since 8443 is taken"
            [[ ${HTTP_PORT-} || $http == 8000 ]] || say "HTTP_PORT is $http, since 8000 is taken"
            return
        fi
        # Another stack may have taken the port since the check.
        grep -q 'Address already in use' "$state/nginx-start.log" || break
    done
    fail_with_log "$state/nginx-start.log" "nginx did not start on HTTPS_PORT $https and HTTP_PORT $http"
}

record_nginx() { # https port, http port
    local deadline=$((EPOCHSECONDS + 5))
    state_set HTTPS_PORT "$1"
    state_set HTTP_PORT "$2"
    until [[ -s $state/nginx.pid ]]; do
        ((EPOCHSECONDS <= deadline)) || fail_with_log "$nginx_log" "nginx did not start"
        sleep 0.02
    done
    record_process nginx "$(<"$state/nginx.pid")"
}

nginx_stop() {
    local pid signal
    adopt_nginx
    stop_process nginx TERM 10
    # Workers outlive a killed master.
    for signal in TERM KILL; do
        for pid in $(nginx_processes); do kill -s "$signal" "$pid" 2>/dev/null || true; done
        [[ -z $(nginx_processes) ]] || sleep 0.5
    done
    rm -f -- "$state/nginx.pid"
}

# Records a running nginx of which this script was killed right after the start. Only nginx's pid file names it then.
adopt_nginx() {
    local pid
    ! is_running nginx || return 0
    { read -r pid <"$state/nginx.pid"; } 2>/dev/null || return 0
    [[ " $(nginx_processes) " != *" $pid "* ]] || record_process nginx "$pid"
}

# The nginx processes that write to this stack's log.
nginx_processes() {
    local pid file
    for pid in $(pgrep -x nginx); do
        for file in /proc/"$pid"/fd/*; do
            [[ ! $file -ef $STACK_DIR/log/nginx-access.log ]] || { printf '%s ' "$pid" && break; }
        done
    done
}

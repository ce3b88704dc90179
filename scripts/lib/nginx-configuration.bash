# nginx's configuration, filled in from nginx/ for one stack.

nginx_configuration=$STACK_DIR/nginx/nginx.conf
default_origins=http://localhost:3000,http://localhost:5173

# One "origin origin;" per line. Refuses characters that nginx would interpret.
origins_map() { # comma-separated origins
    local origins origin
    IFS=, read -ra origins <<<"$1"
    for origin in "${origins[@]}"; do
        read -r origin <<<"$origin"
        [[ $origin ]] || continue
        [[ $origin =~ ^[a-z][a-z0-9+.-]*://[][A-Za-z0-9._:-]+$ ]] ||
            fail "CORS_ALLOWED_ORIGINS: \"$origin\" is not an origin such as https://app.example.com"
        printf '%s %s;\n' "$origin" "$origin"
    done | sort -u
}

upstream_address() { # FCGI_LISTEN or LIVE_LISTEN
    local address
    address=$(listen_address "$1")
    if is_socket_path "$address"; then address=unix:$address; fi
    [[ $address =~ ^[][A-Za-z0-9._/:-]+$ ]] || fail "$1: nginx cannot reach \"$address\""
    printf '%s' "$address"
}

# Written next to the active configuration, so that the two can be compared. STACK_NGINX=production selects the
# production configuration on the same two ports. STACK_PAGES names the pages that it serves: dashboard, docs.
render_nginx() { # https port, http port
    local directory=$STACK_DIR/nginx.new
    rm -rf -- "$directory"
    mkdir -p -- "$workspace/nginx-temporary"
    copy_configuration "$directory"
    origins_map "${CORS_ALLOWED_ORIGINS-$default_origins}" >"$directory/cors-origins.map"
    write_places "$directory/site"
    "write_hosts_of_${STACK_NGINX:-local}" "$directory/site" "$1" "$2" ../tls/localhost.pem ../tls/localhost.key
}

# Copies nginx/ unchanged. Only the files of site/ are generated.
copy_configuration() { # to
    mkdir -p -- "$1"
    cp -r -- "$root"/nginx/{snippets,site,cors-origins.map} "$1/"
    cp -- "$root/nginx/${STACK_NGINX:-local}.conf" "$1/nginx.conf"
}

nginx_user() {
    if is_root; then printf 'user www-data %s;\n' "$socket_group"; fi
}

# Paths are relative to nginx's prefix, except the folders that its workers must reach.
write_places() { # site directory
    local level=warn name
    # Demo patients are invented, so warnings may quote a path.
    [[ ${STACK_NGINX:-local} == local ]] || level=emerg
    {
        nginx_user
        printf '%s\n' 'pid state/nginx.pid;' 'error_log log/nginx-error.log notice;'
    } >"$1/process.conf"
    {
        printf '%s\n' "error_log log/nginx-error.log $level;" 'access_log log/nginx-access.log json;'
        # Only root may write to nginx's compiled-in temporary folders.
        for name in client_body fastcgi proxy scgi uwsgi; do
            printf '%s_temp_path %s/nginx-temporary/%s;\n' "$name" "$workspace" "$name"
        done
    } >"$1/http.conf"
    printf 'server %s;\n' "$(upstream_address FCGI_LISTEN)" >"$1/server.conf"
    printf 'server %s;\n' "$(upstream_address LIVE_LISTEN)" >"$1/live.conf"
    printf 'root %s/site;\n' "$workspace" >"$1/pages.conf"
}

write_hosts_of_local() { # site directory, https port, http port, certificate, key
    {
        listen "$2" ' ssl http2 sndbuf=256k'
        listen "$3" ' sndbuf=256k'
        printf '%s\n' 'server_name localhost;' "ssl_certificate $4;" "ssl_certificate_key $5;"
    } >"$1/this-host.conf"
}

write_hosts_of_production() { # site directory, https port, http port, certificate, key, names, [published port of HTTPS]
    local names=${6:-api.example.com localhost} published=${7-} name
    {
        listen "$3" ' default_server'
        printf '%s\n' "server_name $names;" "set \$https_port \"${published:+:$published}\";"
    } >"$1/plain-http.conf"
    {
        listen "$2" ' ssl http2 default_server sndbuf=256k'
        printf '%s\n' "ssl_certificate $4;" "ssl_certificate_key $5;"
    } >"$1/other-hosts.conf"
    {
        listen "$2" ' ssl http2'
        printf '%s\n' "server_name $names;" "ssl_certificate $4;" "ssl_certificate_key $5;"
        for name in ${STACK_PAGES-}; do printf 'include snippets/pages/%s.conf;\n' "$name"; done
    } >"$1/this-host.conf"
}

is_changed_configuration() {
    diff -rq -- "$STACK_DIR/nginx.new" "$STACK_DIR/nginx" >/dev/null || return 0
    rm -rf -- "$STACK_DIR/nginx.new"
    return 1
}

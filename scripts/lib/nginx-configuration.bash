# nginx's configuration, filled in from nginx/ for one stack.

nginx_configuration=$STACK_DIR/nginx/nginx.conf
default_origins=http://localhost:3000,http://localhost:5173

# One "origin origin;" a line: nothing that means something to nginx gets through.
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

upstream_address() {
    local address
    address=$(listen_address)
    if is_socket_path "$address"; then address=unix:$address; fi
    [[ $address =~ ^[][A-Za-z0-9._/:-]+$ ]] || fail "FCGI_LISTEN: nginx cannot reach \"$address\""
    printf '%s' "$address"
}

# Written beside the one in use, so that the two can be compared. With
# STACK_NGINX=production the production configuration, on the same two ports;
# STACK_PAGES=1 switches its pages on.
render_nginx() { # https port, http port
    local directory=$STACK_DIR/nginx.new
    rm -rf -- "$directory"
    mkdir -p -- "$directory" "$workspace/nginx-temporary"
    cp -r -- "$root/nginx/snippets" "$directory/"
    sed -i "s|/usr/share/reengagement-api/site|$workspace/site|" "$directory"/snippets/{dashboard,docs}.conf
    origins_map "${CORS_ALLOWED_ORIGINS-$default_origins}" >"$directory/cors-origins.map"
    "render_${STACK_NGINX:-local}" "$1" "$2" >"$directory/nginx.conf"
}

nginx_user() {
    if is_root; then printf 'user www-data %s;' "$socket_group"; else printf '#'; fi
}

render_local() { # https port, http port
    local upstream
    upstream=$(upstream_address)
    sed -e "s|@USER@|$(nginx_user)|" -e "s|@WORKSPACE@|$workspace|" -e "s|@UPSTREAM@|$upstream|" \
        -e "s|@HTTPS_PORT@|$1|" -e "s|@HTTP_PORT@|$2|" "$root/nginx/local.conf.template"
}

# Only what no other machine could have: places, ports of loopback, the certificate.
render_production() { # https port, http port
    local upstream temporary
    upstream=$(upstream_address)
    temporary=$(sed -n "/_temp_path/s|@WORKSPACE@|$workspace|p" "$root/nginx/local.conf.template" | tr -d '\n')
    sed -e "s|^user .*|$(nginx_user)|" \
        -e "s|/run/nginx.pid|state/nginx.pid|" -e "s|/var/log/nginx/|log/nginx-|" \
        -e "s|^http {|http { $temporary|" -e "/listen \[::\]/d" \
        -e "s|listen 443 |listen 127.0.0.1:$1 |" -e "s|listen 80 |listen 127.0.0.1:$2 |" \
        -e "s|server_name .*;|server_name api.example.com localhost;|" \
        -e "s|unix:/run/reengagement-api/reengagement.sock|$upstream|" \
        ${STACK_PAGES:+-e "s|# \(include snippets/d[a-z]*.conf;\)|\1|"} \
        -e "s|tls/fullchain.pem|../tls/localhost.pem|" -e "s|tls/privkey.pem|../tls/localhost.key|" \
        "$root/nginx/production.conf"
}

is_changed_configuration() {
    diff -rq -- "$STACK_DIR/nginx.new" "$STACK_DIR/nginx" >/dev/null || return 0
    rm -rf -- "$STACK_DIR/nginx.new"
    return 1
}

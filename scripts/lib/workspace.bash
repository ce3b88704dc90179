# The directory of the sockets and of PostgreSQL's data, usually STACK_DIR. As root, the users postgres and www-data
# must be able to reach it. A socket's path has at most 107 bytes, and libpq and nginx interpret some characters of a
# path. If STACK_DIR does not meet this, a private directory under /tmp is used while the stack is up, and `down` moves
# the data back to STACK_DIR.

# The server binds to its socket's path with its pid appended, then renames it.
longest_socket=run/reengagement.sock.4194304
workspace_record=$state/workspace

# As root, the socket's group is for the server and for nginx's workers, whose first group it is. www-data is not a
# member, because other programs that run as www-data (php-fpm) would be members then too.
socket_group=reengagement-socket

make_socket_group() {
    local attempt
    for attempt in 1 2 3 4 5; do
        ! getent group "$socket_group" >/dev/null || return 0
        say "making the system group $socket_group, which the server's socket has"
        # Another program may hold the lock of /etc/group.
        groupadd --force --system "$socket_group" || sleep 1
    done
    fail "there is no group $socket_group, and groupadd does not make it"
}

is_within_reach() { # directory
    ! is_root || { runuser -u postgres -- test -x "$1" && runuser -u www-data -- test -x "$1"; }
}

is_suitable() { # directory
    local LC_ALL=C socket=$1/$longest_socket
    [[ $1 =~ ^[A-Za-z0-9._/-]+$ ]] && ((${#socket} <= 107)) && is_within_reach "$1"
}

open_workspace() {
    mkdir -p -- "$STACK_DIR"/{state,log}
    if find_workspace; then
        :
    elif is_suitable "$STACK_DIR"; then
        workspace=$STACK_DIR
    else
        workspace=$(mktemp -d /tmp/reengagement.XXXXXXXX)
        # As root, the other users pass through it to their own folders.
        ! is_root || chmod 711 -- "$workspace"
        printf '%s\n' "$workspace" >"$workspace_record"
    fi
    bring_home "$STACK_DIR/postgres" "$workspace/postgres"
    make_run_directory
}

# Ignores a recorded directory that is gone or belongs to another user.
find_workspace() {
    local recorded
    workspace=$STACK_DIR
    [[ -s $workspace_record ]] || return 1
    recorded=$(<"$workspace_record")
    [[ -d $recorded && ! -L $recorded && -O $recorded ]] && workspace=$recorded
}

# The server's socket has mode 0660 and this group.
make_run_directory() {
    mkdir -p -- "$workspace/run"
    chmod 750 -- "$workspace/run"
    if is_root; then
        make_socket_group
        chgrp "$socket_group" -- "$workspace/run"
    fi
}

close_workspace() {
    find_workspace || true
    rm -rf -- "$STACK_DIR"/{run,site,nginx-temporary}
    if [[ $workspace != "$STACK_DIR" ]]; then
        bring_home "$workspace/postgres" "$STACK_DIR/postgres"
        rm -rf -- "$workspace"
    fi
    rm -rf -- "$state"
}

# Moves a directory, also to another filesystem. If it is killed, at least one of the two directories is complete.
bring_home() { # from, to
    [[ $1 != "$2" && -d $1 ]] || return 0
    rm -rf -- "$2" "$2.incoming" "$1.outgoing"
    cp -a --reflink=auto -- "$1" "$2.incoming"
    mv -T -- "$2.incoming" "$2"
    mv -T -- "$1" "$1.outgoing"
    rm -rf -- "$1.outgoing"
}

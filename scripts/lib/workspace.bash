# Where sockets and PostgreSQL's data are. Usually in STACK_DIR. As root, they must
# be within reach of the users postgres and www-data; a socket's path may have 107
# bytes; and libpq and nginx read some characters of a path as something else.
# Where STACK_DIR is no such place, they are in a private directory under /tmp
# while the stack is up, and the data is moved back to STACK_DIR by `down`.

# The server binds to its socket's path with its pid behind it, then renames.
longest_socket=run/reengagement.sock.4194304
workspace_record=$state/workspace

# Who reaches the server's socket as root: the server and nginx's workers, which have it as their first group. www-data is
# no member: what else runs as that user (php-fpm) would be one then, too.
socket_group=reengagement-socket

make_socket_group() {
    local attempt
    for attempt in 1 2 3 4 5; do
        ! getent group "$socket_group" >/dev/null || return 0
        say "making the system group $socket_group, which the server's socket has"
        # Somebody else may hold the lock of /etc/group.
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
        # As root others pass through, to what below is theirs.
        ! is_root || chmod 711 -- "$workspace"
        printf '%s\n' "$workspace" >"$workspace_record"
    fi
    bring_home "$STACK_DIR/postgres" "$workspace/postgres"
    make_run_directory
}

# A recorded directory that is gone, or meanwhile somebody else's, does not count.
find_workspace() {
    local recorded
    workspace=$STACK_DIR
    [[ -s $workspace_record ]] || return 1
    recorded=$(<"$workspace_record")
    [[ -d $recorded && ! -L $recorded && -O $recorded ]] && workspace=$recorded
}

# The server's socket is 0660, in its group's name.
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

# Moves a directory, perhaps to another filesystem. Killed at any point it leaves a
# whole copy under one of the two names, or both.
bring_home() { # from, to
    [[ $1 != "$2" && -d $1 ]] || return 0
    rm -rf -- "$2" "$2.incoming" "$1.outgoing"
    cp -a --reflink=auto -- "$1" "$2.incoming"
    mv -T -- "$2.incoming" "$2"
    mv -T -- "$1" "$1.outgoing"
    rm -rf -- "$1.outgoing"
}

# Starts and stops the sender, and sets its environment.

sender_log=$STACK_DIR/log/sender.log

# Mails become files, so that nothing leaves this machine.
set_sender_environment() {
    set_server_environment
    export PUBLIC_URL=${PUBLIC_URL:-http://localhost:$(state_get HTTP_PORT)}
    export SMTP_URL=${SMTP_URL:-outbox:$STACK_DIR/outbox} SMTP_FROM=${SMTP_FROM:-alerts@localhost}
}

# STACK_SENDER=off starts none. The end-to-end tests start senders of their own.
sender_start() {
    [[ ${STACK_SENDER-} != off ]] || return 0
    local fingerprint
    [[ -x $binary ]] || fail "there is no $binary: run scripts/build"
    fingerprint=$({
        set_sender_environment
        stat -Lc '%i %Y %s' -- "$binary"
        for name in "${server_variables[@]}" "${sender_variables[@]}"; do printf '%s=%s\0' "$name" "${!name-}"; done
    } | sha256sum)
    if is_running sender; then
        [[ $(state_get sender-fingerprint) != "$fingerprint" ]] || return 0
        sender_stop
    fi
    say "starting the sender"
    launch_sender &
    # The shell must not report the end of the process. This script does.
    disown
    wait_for_sender "$!"
    state_set sender-fingerprint "$fingerprint"
}

# As in launch_server: a process of its own, recorded before it becomes the sender.
launch_sender() {
    set_sender_environment
    exec </dev/null >>"$sender_log" 2>&1 9>&-
    record_process sender "$BASHPID"
    exec env --default-signal=INT,QUIT setsid "$binary" deliver
}

wait_for_sender() { # pid
    local tries
    # It has no socket to wait for. An environment that it refuses ends it at once.
    for ((tries = 0; tries < 20; tries++)); do
        start_tick "$1" >/dev/null || fail_with_log "$sender_log" "the sender did not start"
        sleep 0.05
    done
}

# The sender promises to end within 10 s.
sender_stop() {
    stop_process sender TERM 12
    rm -f -- "$state/sender-fingerprint"
}

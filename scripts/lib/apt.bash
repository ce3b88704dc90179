# Waits while another program holds a lock of apt. apt itself waits only for dpkg's lock (DPkg::Lock::Timeout), not for
# the locks of its lists and archives.

apt_lock_timeout=${APT_LOCK_TIMEOUT:-600}
is_number_between "$apt_lock_timeout" 0 86400 || fail "APT_LOCK_TIMEOUT: \"$apt_lock_timeout\" is no number of seconds"
apt_log=$logs/apt.log

# The caller's standard error. Later, standard error may be redirected to a log.
exec {terminal}>&2

# Runs apt-get, and retries until the deadline while another program holds a lock.
retry_while_locked() { # deadline, command
    local deadline=$1 status lock reported=
    shift
    mkdir -p -- "$logs"
    while :; do
        status=0
        "$@" 2>&1 | tee -- "$apt_log" || status=$?
        lock=$(held_lock)
        ((status != 0)) && [[ $lock ]] && ((EPOCHSECONDS < deadline)) || return "$status"
        [[ $lock == "$reported" ]] || report_lock "${lock%% *}" "${lock#* }" "$deadline"
        reported=$lock
        sleep 2
    done
}

# Prints the lock that apt-get could not get, and the process that holds it.
held_lock() {
    sed -n -e 's/^E: Could not get lock \([^ ]*\)\. It is held by \(process [0-9]* ([^)]*)\).*/\1 \2/p' -e t \
        -e 's/^E: Could not get lock \([^ ]*\).*/\1 another program/p' -- "$apt_log" | head -n 1
}

report_lock() { # lock, holder, deadline
    # Clears the line of the running clock.
    [[ ! -t $terminal ]] || printf '\r\033[K' >&"$terminal"
    printf 'waiting for %s, which holds %s, for at most %d s\n' "$2" "$1" "$(($3 - EPOCHSECONDS))" >&"$terminal"
}

# apt waits by itself for dpkg's lock only (DPkg::Lock::Timeout). This waits for the locks of its lists and archives
# too, and reports that on the terminal.

apt_lock_timeout=${APT_LOCK_TIMEOUT:-600}
is_number_between "$apt_lock_timeout" 0 86400 || fail "APT_LOCK_TIMEOUT: \"$apt_lock_timeout\" is no number of seconds"
apt_log=$logs/apt.log

# The terminal, also while standard error is a log.
exec {told}>&2

# Runs apt-get again for as long as another program holds a lock that it needs.
patiently() { # deadline, command
    local deadline=$1 status lock told_of=
    shift
    mkdir -p -- "$logs"
    while :; do
        status=0
        "$@" 2>&1 | tee -- "$apt_log" || status=$?
        lock=$(held_lock)
        ((status != 0)) && [[ $lock ]] && ((EPOCHSECONDS < deadline)) || return "$status"
        [[ $lock == "$told_of" ]] || tell_of "${lock%% *}" "${lock#* }" "$deadline"
        told_of=$lock
        sleep 2
    done
}

# The lock that apt-get could not get, and who holds it.
held_lock() {
    sed -n -e 's/^E: Could not get lock \([^ ]*\)\. It is held by \(process [0-9]* ([^)]*)\).*/\1 \2/p' -e t \
        -e 's/^E: Could not get lock \([^ ]*\).*/\1 another program/p' -- "$apt_log" | head -n 1
}

tell_of() { # lock, holder, deadline
    [[ ! -t $told ]] || printf '\r\033[K' >&"$told"
    printf 'waiting for %s, which holds %s, for at most %d s\n' "$2" "$1" "$(($3 - EPOCHSECONDS))" >&"$told"
}

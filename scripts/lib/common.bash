# Sourced by every script of this folder.

set -euo pipefail
shopt -s inherit_errexit

root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P)

# Debian's PATH for users lacks the folders of nginx and runuser.
PATH=$PATH:/usr/sbin:/sbin

# The directory of a stack. Each test's stack has its own.
STACK_DIR=$(realpath -m -- "${STACK_DIR:-$root/.local}")
state=$STACK_DIR/state

# Logs of builds and downloads.
logs=$(realpath -m -- "$root/${BUILD_DIR:-.build}/log")

# Progress is written to standard error. Standard output is for the caller.
say() { printf '%s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# Prints the end of a log, which usually contains the reason.
show_end() { # log, message, how many lines
    printf 'error: %s; the end of %s:\n' "$2" "$1" >&2
    grep -Ev '^\[[0-9]+/[0-9]+\] ' -- "$1" | tail -n "${3:-15}" | sed 's/^/    /' >&2 || true
}

fail_with_log() { # log, message
    show_end "$@"
    exit 1
}

# Runs a long command. One line names it, and its output is written to a log. The end of the log is shown after an
# error. VERBOSE=1 shows all output. A terminal shows the elapsed time.
quietly() { # log, what it does, command
    local log=$1 what=$2 status=0 clock=
    shift 2
    say "$what"
    [[ ${VERBOSE-} != 1 ]] || { "$@" >&2 && return || return; }
    mkdir -p -- "${log%/*}"
    [[ ! -t 2 ]] || { show_clock >/dev/null 9>&- & clock=$!; }
    "$@" >"$log" 2>&1 || status=$?
    [[ -z $clock ]] || stop_clock "$clock"
    ((status == 0)) || show_end "$log" "this failed: $what" 40
    return "$status"
}

show_clock() {
    local began=$EPOCHSECONDS
    while sleep 1 && kill -s 0 -- "$$" 2>/dev/null; do printf '\r    %d s ' $((EPOCHSECONDS - began)) >&2; done
}

stop_clock() { # pid
    kill -- "$1" 2>/dev/null || true
    wait -- "$1" 2>/dev/null || true
    printf '\r\033[K' >&2
}

is_root() { ((EUID == 0)); }

# Accepts a whole number without a sign or leading zeros.
is_number_between() { # text, least, most
    [[ $1 =~ ^(0|[1-9][0-9]{0,9})$ ]] && (($1 >= $2 && $1 <= $3))
}

state_get() { # name
    [[ -r $state/$1 ]] && cat -- "$state/$1"
}

state_set() { # name, value
    printf '%s\n' "$2" >"$state/$1"
}

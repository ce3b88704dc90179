# Sourced by every script of this folder.

set -euo pipefail
shopt -s inherit_errexit

root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P)

# nginx and runuser are there, which a user's PATH in Debian leaves out.
PATH=$PATH:/usr/sbin:/sbin

# Where a stack keeps what it makes; a test's stack has a directory of its own.
STACK_DIR=$(realpath -m -- "${STACK_DIR:-$root/.local}")
state=$STACK_DIR/state

# Of what is built and fetched, the logs.
logs=$(realpath -m -- "$root/${BUILD_DIR:-.build}/log")

# Progress goes to standard error: standard output is for what a caller reads.
say() { printf '%s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The end of a log is usually the reason.
show_end() { # log, message, how many lines
    printf 'error: %s; the end of %s:\n' "$2" "$1" >&2
    grep -Ev '^\[[0-9]+/[0-9]+\] ' -- "$1" | tail -n "${3:-15}" | sed 's/^/    /' >&2 || true
}

fail_with_log() { # log, message
    show_end "$@"
    exit 1
}

# Runs what takes long and says much: one line tells what it does, its output goes to a log, whose end is shown where it
# fails. VERBOSE=1 shows all of it. A terminal sees how long it has taken so far.
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

# The whole number or nothing.
is_number_between() { # text, least, most
    [[ $1 =~ ^(0|[1-9][0-9]{0,9})$ ]] && (($1 >= $2 && $1 <= $3))
}

state_get() { # name
    [[ -r $state/$1 ]] && cat -- "$state/$1"
}

state_set() { # name, value
    printf '%s\n' "$2" >"$state/$1"
}

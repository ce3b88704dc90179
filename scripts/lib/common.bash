# Sourced by every script of this folder.

set -euo pipefail
shopt -s inherit_errexit

root=$(cd -- "${BASH_SOURCE[0]%/*}/../.." && pwd -P)

# nginx and runuser are there, which a user's PATH in Debian leaves out.
PATH=$PATH:/usr/sbin:/sbin

# Where a stack keeps what it makes; a test's stack has a directory of its own.
STACK_DIR=$(realpath -m -- "${STACK_DIR:-$root/.local}")
state=$STACK_DIR/state

# Progress goes to standard error: standard output is for what a caller reads.
say() { printf '%s\n' "$*" >&2; }

fail() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# The end of a log is usually the reason.
fail_with_log() { # log, message
    printf 'error: %s; the end of %s:\n' "$2" "$1" >&2
    tail -n 15 -- "$1" | sed 's/^/    /' >&2 || true
    exit 1
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

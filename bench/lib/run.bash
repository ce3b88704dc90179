# Sourced by each benchmark's `run`: a stack in a directory of its own, gone at the end.

. "${BASH_SOURCE[0]%/*}/../../scripts/lib/common.bash"
. "$root/scripts/lib/variables.bash"

# The same result whatever the caller has set up for a stack of his own.
forget_callers_variables

# BENCH_DIR is kept, what is made here is not.
make_directory() {
    if [[ -n ${BENCH_DIR-} ]]; then
        temporary=$(realpath -m -- "$BENCH_DIR")
        mkdir -p -- "$temporary"
    else
        temporary=$(mktemp -d "${TMPDIR:-/tmp}/reengagement-bench.XXXXXXXX")
    fi
    # As root, PostgreSQL and nginx run as users of their own, who pass through here.
    chmod 755 -- "$temporary"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# The last stack started is the first to go: the others may use its database.
clean_up() {
    local status=$? name
    trap '' INT TERM HUP
    [[ -z ${measuring-} ]] || { kill "$measuring" && wait "$measuring"; } 2>/dev/null || true
    for name in "${stacks[@]}"; do STACK_DIR=$temporary/$name "$root/scripts/stack" down || true; done
    [[ -n ${BENCH_DIR-} ]] || rm -rf -- "$temporary"
    exit "$status"
}

# In the background, so that a signal is heard at once.
measure() { # program, arguments
    PYTHONPATH=$root/bench/lib PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@" &
    measuring=$!
    wait "$measuring"
    measuring=
}

# Sourced by each benchmark's `run`: a stack in a separate directory, which is removed at the end.

. "${BASH_SOURCE[0]%/*}/../../scripts/lib/common.bash"
. "$root/scripts/lib/variables.bash"

# The caller's variables for another stack must not change the result.
forget_callers_variables

# BENCH_DIR is not removed. A temporary directory is.
make_directory() {
    if [[ -n ${BENCH_DIR-} ]]; then
        temporary=$(realpath -m -- "$BENCH_DIR")
        mkdir -p -- "$temporary"
    else
        temporary=$(mktemp -d "${TMPDIR:-/tmp}/reengagement-bench.XXXXXXXX")
    fi
    # If root runs this, PostgreSQL and nginx run as their own users, who need access to this directory.
    chmod 755 -- "$temporary"
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM HUP
}

# The last stack to start is the first to stop. Others may use its database.
clean_up() {
    local status=$? name
    trap '' INT TERM HUP
    [[ -z ${measuring-} ]] || { kill "$measuring" && wait "$measuring"; } 2>/dev/null || true
    for name in "${stacks[@]}"; do STACK_DIR=$temporary/$name "$root/scripts/stack" down || true; done
    [[ -n ${BENCH_DIR-} ]] || rm -rf -- "$temporary"
    exit "$status"
}

# In the background, so that a signal takes effect at once.
measure() { # program, arguments
    PYTHONPATH=$root/bench/lib PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$@" &
    measuring=$!
    wait "$measuring"
    measuring=
}

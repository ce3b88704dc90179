# Runs the parts of a script and prints a summary. Each part is a function run_PART. All parts run, also after an error.
# The script sets all_parts (names), temporary (a directory of its own) and at_once (how many parts run in parallel).

failed=0 at_once=1
declare -A running=() began=() results=()

choose_parts() { # what the script was called with
    parts=("$@")
    ((${#parts[@]})) || parts=("${all_parts[@]}")
}

check_parts() {
    local part
    for part in "${parts[@]}"; do
        declare -F "run_$part" >/dev/null || fail "there is no part \"$part\": ${all_parts[*]}"
    done
}

# Each part has its own process group, so an interruption reaches all its processes once and they can clean up. Then the
# output of the interrupted parts is shown.
interrupt() { # exit status
    local deadline=$((EPOCHSECONDS + 30)) job
    trap '' INT TERM HUP
    for job in "${!running[@]}"; do kill -s INT -- "-$job" 2>/dev/null || true; done
    for job in "${!running[@]}"; do
        while kill -s 0 -- "-$job" 2>/dev/null && ((EPOCHSECONDS <= deadline)); do sleep 0.2; done
        kill -s KILL -- "-$job" 2>/dev/null || true
        is_shown_at_once || show_part "${running[$job]}" ', which was interrupted'
    done
    exit "$1"
}

# A part that runs alone writes to the terminal directly. Otherwise its output is shown at its end.
is_shown_at_once() { ((at_once == 1 || ${#parts[@]} == 1)); }

start_part() { # part
    began[$1]=$EPOCHSECONDS
    set -m
    if is_shown_at_once; then
        printf '\n== %s\n' "$1"
        ("run_$1" 2>&1 | tee -i "$temporary/$1.log") </dev/null &
    else
        say "-- $1 has begun; its output is shown at its end, and until then in $temporary/$1.log"
        ("run_$1" >"$temporary/$1.log" 2>&1) </dev/null &
    fi
    running[$!]=$1
    set +m
}

show_part() { # part, what became of it
    printf '\n== %s%s\n' "$1" "$2"
    cat -- "$temporary/$1.log"
}

# Waits for any running part and records its result.
finish_part() {
    local job part verdict=passed seconds
    wait -n -p job "${!running[@]}" || verdict=FAILED failed=1
    part=${running[$job]}
    unset "running[$job]"
    seconds=$((EPOCHSECONDS - began[$part]))
    is_shown_at_once || show_part "$part" "$([[ $verdict == passed ]] || printf ': %s' "$verdict")"
    results[$part]="$verdict  $part ($seconds s): $(closing_line "$part")"
    ! declare -F after_part >/dev/null || after_part "$part" "$verdict" "$seconds"
}

closing_line() { # part
    grep -v '^[[:space:]]*$' "$temporary/$1.log" | tail -n 1
}

# Exits with 1 if a part failed.
run_parts() {
    local part
    for part in "${parts[@]}"; do
        ((${#running[@]} < at_once)) || finish_part
        start_part "$part"
    done
    while ((${#running[@]})); do finish_part; done
    printf '\n== summary\n'
    for part in "${parts[@]}"; do printf '%s\n' "${results[$part]}"; done
    exit "$failed"
}

# Runs the parts of a script, each a function run_PART, one after another and all of them, even where an earlier one fails;
# and sums them up. The script names them in all_parts, and a directory of its own in temporary.

results=() failed=0

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

# A part has its own process group, so that whatever way this script is told to end,
# all of the part hears of it once and may tidy up.
interrupt() { # exit status
    local deadline=$((EPOCHSECONDS + 30))
    trap '' INT TERM HUP
    if [[ -n ${job-} ]]; then
        kill -s INT -- "-$job" 2>/dev/null || true
        while kill -s 0 -- "-$job" 2>/dev/null && ((EPOCHSECONDS <= deadline)); do sleep 0.2; done
        kill -s KILL -- "-$job" 2>/dev/null || true
    fi
    exit "$1"
}

# Shows a part's output as it comes, and keeps it for the summary.
run_part() { # part
    local began=$EPOCHSECONDS verdict=passed seconds
    printf '\n== %s\n' "$1"
    set -m
    ("run_$1" 2>&1 | tee -i "$temporary/$1.log") </dev/null &
    job=$!
    set +m
    wait "$job" || verdict=FAILED failed=1
    job=
    seconds=$((EPOCHSECONDS - began))
    results+=("$verdict  $1 ($seconds s): $(closing_line "$1")")
    ! declare -F after_part >/dev/null || after_part "$1" "$verdict" "$seconds"
}

closing_line() { # part
    grep -v '^[[:space:]]*$' "$temporary/$1.log" | tail -n 1
}

# Ends with what failed, or with success.
run_parts() {
    local part
    for part in "${parts[@]}"; do run_part "$part"; done
    printf '\n== summary\n'
    printf '%s\n' "${results[@]}"
    exit "$failed"
}

# Records processes that outlive the script that started them, by pid and start tick. A reused pid does not match the
# record, even after a reboot.

# Prints the start tick of a running process. A zombie does not run.
start_tick() { # pid
    local line fields
    # Not $(<…): bash 5.2 ends the whole script if the file does not exist.
    line=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
    # The name in parentheses may contain anything, so the fields are counted after it.
    read -ra fields <<<"${line##*) }"
    [[ ${fields[0]} != [ZX] ]] && printf '%s' "${fields[19]}"
}

record_process() { # name, pid
    printf '%s %s\n' "$2" "$(start_tick "$2")" >"$state/$1.process"
}

running_pid() { # name
    local pid tick
    { read -r pid tick <"$state/$1.process"; } 2>/dev/null || return 1
    [[ $(start_tick "$pid") == "$tick" ]] && printf '%s' "$pid"
}

is_running() { running_pid "$1" >/dev/null; }

# Sends a signal and waits. Kills the process after the timeout and reports that.
stop_process() { # name, signal, seconds
    local pid deadline
    if pid=$(running_pid "$1"); then
        kill -s "$2" "$pid" 2>/dev/null || true
        deadline=$((EPOCHSECONDS + $3))
        while is_running "$1" && ((EPOCHSECONDS <= deadline)); do sleep 0.05; done
        if is_running "$1"; then
            say "$1 (pid $pid) did not stop in $3 s: killing it"
            kill -s KILL "$pid" 2>/dev/null || true
        fi
    fi
    rm -f -- "$state/$1.process"
}

import Glibc

/// The reading of a clock in seconds.
func seconds(of clock: clockid_t) -> Double {
    var time = timespec()
    clock_gettime(clock, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1e9
}

/// The machine's clock in seconds since 1970, for tokens and log lines. The clinic's days use the database's clock.
func wallClock() -> Double { seconds(of: CLOCK_REALTIME) }

import Glibc

/// The operator's signals. A thread waits for them, so there is no signal handler.
///
/// Create it before any thread. Threads inherit the signal mask, so no signal then interrupts one of them.
///
/// Other signals that would end the process are ignored, so that none loses unwritten data. SIGABRT and the errors of
/// the process itself still end it.
struct OperatorSignals {
    enum Event: Equatable {
        case stop
        /// SIGHUP: read the signing keys again.
        case readKeys
        /// SIGUSR1: make the log one level more verbose. SIGUSR2: one level less.
        case logLevel(moreVerbose: Bool)
    }

    private static let events: [(signal: CInt, name: String, event: Event)] = [
        (SIGTERM, "SIGTERM", .stop), (SIGINT, "SIGINT", .stop), (SIGQUIT, "SIGQUIT", .stop),
        // init sends SIGPWR when the power fails. SIGXCPU is the soft limit of processor time. SIGKILL follows at the
        // hard limit.
        (SIGPWR, "SIGPWR", .stop), (SIGXCPU, "SIGXCPU", .stop),
        (SIGHUP, "SIGHUP", .readKeys),
        (SIGUSR1, "SIGUSR1", .logLevel(moreVerbose: true)), (SIGUSR2, "SIGUSR2", .logLevel(moreVerbose: false)),
    ]

    /// After SIGPIPE (a closed reader) and SIGXFSZ (a full file) the write itself fails with an error.
    private static let ignored =
        [SIGPIPE, SIGXFSZ, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGSTKFLT]
        + Array(__libc_current_sigrtmin()...__libc_current_sigrtmax())

    private let set: sigset_t

    init() {
        for number in Self.ignored where Self.isDeadly(number) { signal(number, SIG_IGN) }
        var set = sigset_t()
        sigemptyset(&set)
        for (signal, _, _) in Self.events { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        self.set = set
    }

    /// True if the signal has no handler. A profiler in the process must keep its own.
    private static func isDeadly(_ number: CInt) -> Bool {
        var current = sigaction()
        return sigaction(number, nil, &current) == 0 && current.__sigaction_handler.sa_handler == nil
    }

    /// Waits for the next signal.
    func wait() -> (name: String, event: Event) {
        var set = set
        while true {
            var signal: CInt = 0
            guard sigwait(&set, &signal) == 0 else { continue }
            if let known = Self.events.first(where: { $0.signal == signal }) { return (known.name, known.event) }
        }
    }
}

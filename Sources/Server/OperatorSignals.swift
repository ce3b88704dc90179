import Glibc

/// The operator's signals, received by a thread that waits for them instead of by a handler.
///
/// It has to be created before any thread, as threads inherit the mask, so that no signal interrupts one of them.
///
/// Any other signal that would end the process is ignored, so that none loses unwritten data. SIGABRT and the errors of
/// the process itself stay deadly.
struct OperatorSignals {
    enum Event: Equatable {
        case stop
        /// SIGHUP asks for the signing keys to be read again.
        case readKeys
        /// SIGUSR1 asks for one level more of the log, SIGUSR2 for one less.
        case logLevel(moreVerbose: Bool)
    }

    private static let events: [(signal: CInt, name: String, event: Event)] = [
        (SIGTERM, "SIGTERM", .stop), (SIGINT, "SIGINT", .stop), (SIGQUIT, "SIGQUIT", .stop),
        // An init sends the first when the power fails. The second is a limit on processor time, whose hard end is
        // SIGKILL.
        (SIGPWR, "SIGPWR", .stop), (SIGXCPU, "SIGXCPU", .stop),
        (SIGHUP, "SIGHUP", .readKeys),
        (SIGUSR1, "SIGUSR1", .logLevel(moreVerbose: true)), (SIGUSR2, "SIGUSR2", .logLevel(moreVerbose: false)),
    ]

    /// SIGPIPE (a closed reader) and SIGXFSZ (a full file) show as the write's own error.
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

    /// Whether it has no handler: a profiler that is loaded into the process keeps its own.
    private static func isDeadly(_ number: CInt) -> Bool {
        var current = sigaction()
        return sigaction(number, nil, &current) == 0 && current.__sigaction_handler.sa_handler == nil
    }

    /// Waits for the next of them.
    func wait() -> (name: String, event: Event) {
        var set = set
        while true {
            var signal: CInt = 0
            guard sigwait(&set, &signal) == 0 else { continue }
            if let known = Self.events.first(where: { $0.signal == signal }) { return (known.name, known.event) }
        }
    }
}

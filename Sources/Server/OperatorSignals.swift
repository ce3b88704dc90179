import Glibc

/// What an operator tells the process, received by whoever waits for it instead of by a handler.
///
/// To be made before any thread is started: threads inherit the mask, so that none is interrupted.
struct OperatorSignals {
    enum Event: Equatable {
        case stop
        /// SIGUSR1 asks for one level more of the log, SIGUSR2 for one less.
        case logLevel(moreVerbose: Bool)
    }

    private static let events: [(signal: CInt, name: String, event: Event)] = [
        (SIGTERM, "SIGTERM", .stop), (SIGINT, "SIGINT", .stop),
        (SIGUSR1, "SIGUSR1", .logLevel(moreVerbose: true)), (SIGUSR2, "SIGUSR2", .logLevel(moreVerbose: false)),
    ]

    private let set: sigset_t

    init() {
        var set = sigset_t()
        sigemptyset(&set)
        for (signal, _, _) in Self.events { sigaddset(&set, signal) }
        pthread_sigmask(SIG_BLOCK, &set, nil)
        self.set = set
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

import Glibc

/// SIGTERM and SIGINT, received by whoever waits for them instead of by a handler.
///
/// To be made before any thread is started: threads inherit the mask, so that none is interrupted.
struct StopSignals {
    private let set: sigset_t

    init() {
        var set = sigset_t()
        sigemptyset(&set)
        sigaddset(&set, SIGTERM)
        sigaddset(&set, SIGINT)
        pthread_sigmask(SIG_BLOCK, &set, nil)
        self.set = set
    }

    /// Waits for the next of them and returns its name.
    func wait() -> String {
        var set = set
        var signal: CInt = 0
        while sigwait(&set, &signal) != 0 {}
        return signal == SIGINT ? "SIGINT" : "SIGTERM"
    }
}

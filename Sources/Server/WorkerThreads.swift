import Threads

/// The worker threads, and how many of them still run.
final class WorkerThreads: Sendable {
    private struct State {
        var running = 0
        var threads: [Thread] = []
    }

    private let state = Monitor(State())

    /// Starts `count` threads that each run `body` once.
    init(count: Int, _ body: @escaping @Sendable () -> Void) throws(Thread.StartError) {
        for _ in 0..<count {
            state.withLock { $0.running += 1 }
            let thread = try Thread.start(for: "WORKER_THREADS") { [state] in
                body()
                state.withLock { $0.running -= 1 }
                state.notifyAll()
            }
            state.withLock { $0.threads.append(thread) }
        }
    }

    /// Waits until all threads have ended, and joins them. Returns false if the deadline passes first.
    ///
    /// OpenSSL frees memory when a thread ends. That must not happen while the process exits.
    func waitUntilDone(_ deadline: ContinuousClock.Instant) -> Bool {
        let ended = state.wait(until: deadline) { state -> [Thread]? in
            guard state.running == 0 else { return nil }
            defer { state.threads = [] }
            return state.threads
        }
        guard let ended else { return false }
        for thread in ended { thread.join() }
        return true
    }
}

import Threads

/// The worker threads, and how many of them are still at work.
final class WorkerThreads: Sendable {
    private let running: Monitor<Int>

    /// Starts `count` threads that each run `body` once.
    init(count: Int, _ body: @escaping @Sendable () -> Void) throws(Thread.StartError) {
        let running = Monitor(0)
        self.running = running
        for _ in 0..<count {
            running.withLock { $0 += 1 }
            try Thread.start {
                body()
                running.withLock { $0 -= 1 }
                running.notifyAll()
            }.detach()
        }
    }

    /// Whether all of them have returned by `deadline`.
    func waitUntilDone(_ deadline: ContinuousClock.Instant) -> Bool {
        running.wait(until: deadline) { $0 == 0 ? true : nil } ?? false
    }
}

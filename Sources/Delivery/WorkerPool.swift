internal import Threads

/// A fixed number of threads for work that waits for the network, so that one slow receiver delays only its own thread.
final class WorkerPool: Sendable {
    typealias Job = @Sendable () -> Void

    private struct State {
        var idle = 0
        var jobs: [Job] = []
        var isStopped = false
        var running = 0
    }

    private let state = Monitor(State())

    /// - Parameter ended: called after each job.
    func start(threads: Int, for purpose: String, ended: @escaping Job) throws(Thread.StartError) {
        for _ in 0..<threads {
            state.withLock { $0.running += 1 }
            do throws(Thread.StartError) {
                try Thread.start(for: purpose) { [self] in
                    while let job = next() {
                        job()
                        ended()
                    }
                }.detach()
            } catch {
                state.withLock { $0.running -= 1 }
                throw error
            }
        }
    }

    /// The number of threads that wait for a job.
    var idle: Int { state.withLock { $0.isStopped ? 0 : max(0, $0.idle - $0.jobs.count) } }

    /// Gives a job to a thread. At most ``idle`` jobs may be given at a time.
    func run(_ job: @escaping Job) {
        state.withLock { $0.jobs.append(job) }
        state.notifyAll()
    }

    /// Ends each thread after its current job.
    func stop() {
        state.withLock { $0.isStopped = true }
        state.notifyAll()
    }

    /// Waits until all threads have ended. False if the deadline passes first.
    @discardableResult
    func waitUntilEnded(_ deadline: ContinuousClock.Instant) -> Bool {
        state.wait(until: deadline) { $0.running == 0 ? true : nil } ?? false
    }

    private enum Next: Sendable {
        case job(Job)
        case end
    }

    /// The next job. Nil once the pool is stopped and no job is left.
    private func next() -> Job? {
        state.withLock { $0.idle += 1 }
        let next = state.wait(until: nil) { state -> Next? in
            guard !state.jobs.isEmpty || state.isStopped else { return nil }
            state.idle -= 1
            if !state.jobs.isEmpty { return .job(state.jobs.removeFirst()) }
            state.running -= 1
            return .end
        }
        if case .job(let job) = next { return job }
        state.notifyAll()
        return nil
    }
}

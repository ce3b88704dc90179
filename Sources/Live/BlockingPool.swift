import NIOCore
import Threads

/// A few threads for work that waits for the database or for a key.
final class BlockingPool: Sendable {
    typealias Work = @Sendable () -> Void

    private struct State {
        var urgent = CircularBuffer<Work>()
        var queue = CircularBuffer<Work>()
        var isStopped = false
        var threads: [Thread] = []
        var running = 0
    }

    private let state = Monitor(State())

    func start(threads: Int) throws(Thread.StartError) {
        for _ in 0..<threads {
            state.withLock { $0.running += 1 }
            let thread = try Thread.start(for: "the live streams") { [self] in
                while let work = next() { work() }
                state.withLock { $0.running -= 1 }
                state.notifyAll()
            }
            state.withLock { $0.threads.append(thread) }
        }
    }

    /// Queues work. Urgent work precedes the other. After ``stop()`` it is dropped.
    func run(urgent: Bool = false, _ work: @escaping Work) {
        state.withLock { state in
            guard !state.isStopped else { return }
            if urgent { state.urgent.append(work) } else { state.queue.append(work) }
        }
        state.notifyAll()
    }

    /// Drops the queue, and lets the threads end after their current work.
    func stop() {
        state.withLock { state in
            state.isStopped = true
            state.urgent.removeAll()
            state.queue.removeAll()
        }
        state.notifyAll()
    }

    /// Waits until all threads have ended, and joins them. Returns false if the deadline passes first.
    func waitUntilDone(_ deadline: ContinuousClock.Instant) -> Bool {
        let ended = state.wait(until: deadline) { state -> [Thread]? in
            guard state.running == 0 else { return nil }
            defer { state.threads = [] }
            return state.threads
        }
        for thread in ended ?? [] { thread.join() }
        return ended != nil
    }

    private func next() -> Work? {
        let next = state.wait(until: nil) { state -> Work?? in
            if state.isStopped { return .some(nil) }
            if let work = state.urgent.popFirst() ?? state.queue.popFirst() { return work }
            return nil
        }
        return next ?? nil
    }
}

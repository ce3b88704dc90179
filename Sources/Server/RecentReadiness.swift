import PostgreSQL
import Threads

/// What strangers are told of ``Readiness``: what a thread of its own has found within the last second.
///
/// However many ask, the database is looked at about twice a second at most, and while nobody asks it is left alone.
/// A request waits only where nothing has been found so recently: for the look that its question begins.
final class RecentReadiness: Sendable {
    typealias Look = @Sendable () throws(PostgreSQLError) -> Void
    typealias Instant = ContinuousClock.Instant

    private struct State {
        var failure: PostgreSQLError?
        /// When the last look ended.
        var ended: Instant?
        var began: Instant?
        var isWanted = false
        var waiting = 0
        var isStopping = false

        /// What has been found so recently that it counts.
        func recent(_ now: Instant) -> Found? {
            guard let ended, ended.duration(to: now) <= RecentReadiness.longestAge else { return nil }
            return Found(failure: failure)
        }

        /// Whether a look takes so long that nobody else is to wait for it.
        func isSlow(_ now: Instant) -> Bool { began.map { $0.duration(to: now) > RecentReadiness.longestAge } ?? false }
    }

    private struct Found: Sendable {
        let failure: PostgreSQLError?

        func check() throws(PostgreSQLError) { if let failure { throw failure } }
    }

    private static let longestAge = Duration.seconds(1)
    /// From the beginning of one look to the next, where somebody has asked meanwhile.
    private static let interval = Duration.milliseconds(500)

    private let look: Look
    private let longestWait: Duration
    private let mostWaiting: Int
    private let state = Monitor(State())

    /// - Parameters:
    ///   - longestWait: how long a request waits for a look.
    ///   - mostWaiting: how many requests wait for one that is slow, each of which holds a worker.
    init(longestWait: Duration, mostWaiting: Int, look: @escaping Look) {
        (self.look, self.longestWait, self.mostWaiting) = (look, longestWait, mostWaiting)
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) { try Thread.start { [self] in run() }.detach() }

    /// Lets the thread end.
    func stop() {
        state.withLock { $0.isStopping = true }
        state.notifyAll()
    }

    /// Whether something is known already; false where the caller has to wait.
    ///
    /// - Throws: why the endpoints could not be answered.
    func answers() throws(PostgreSQLError) -> Bool {
        let found = state.withLock { state in
            state.isWanted = true
            return state.recent(.now)
        }
        state.notifyAll()
        guard let found else { return false }
        try found.check()
        return true
    }

    /// Waits until something is known.
    func wait() throws(PostgreSQLError) {
        let deadline = ContinuousClock.now + longestWait
        let mayWait = state.withLock { state in
            guard state.waiting < mostWaiting || !state.isSlow(.now) else { return false }
            state.waiting += 1
            state.isWanted = true
            return true
        }
        guard mayWait else { throw .acquireTimeout }
        state.notifyAll()
        let found = state.wait(until: deadline) { $0.recent(.now) }
        state.withLock { $0.waiting -= 1 }
        guard let found else { throw .acquireTimeout }
        try found.check()
    }

    private func run() {
        while true {
            let begins = state.wait(until: .now + .seconds(3600)) { state -> Bool? in
                if state.isStopping { return false }
                guard state.isWanted else { return nil }
                (state.isWanted, state.began) = (false, .now)
                return true
            }
            if begins == false { return }
            guard begins == true else { continue }
            let next = ContinuousClock.now + Self.interval
            note(found())
            if state.wait(until: next, { $0.isStopping ? true : nil }) != nil { return }
        }
    }

    private func found() -> PostgreSQLError? {
        do throws(PostgreSQLError) {
            try look()
            return nil
        } catch {
            return error
        }
    }

    private func note(_ failure: PostgreSQLError?) {
        state.withLock { state in
            state.failure = failure
            (state.ended, state.began) = (.now, nil)
        }
        state.notifyAll()
    }
}

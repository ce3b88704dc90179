import PostgreSQL
import Threads

/// The result of ``Readiness`` for clients on other machines, at most a second old and found by its own thread.
///
/// However many clients send requests, the database is checked at most about twice a second, and not at all without
/// requests. A request waits only if no result is recent enough, and then for the check that it causes.
final class RecentReadiness: Sendable {
    typealias Check = @Sendable () throws(PostgreSQLError) -> Void
    typealias Instant = ContinuousClock.Instant

    private struct State {
        var failure: PostgreSQLError?
        /// When the last check ended.
        var ended: Instant?
        var began: Instant?
        /// The earliest start of the next check.
        var next = Instant.now
        /// True if a request has needed a result since the last check began.
        var isWanted = false
        var waiting = 0

        /// The last result, unless it is too old.
        func recent(_ now: Instant) -> Found? {
            guard let ended, ended.duration(to: now) <= RecentReadiness.longestAge else { return nil }
            return Found(failure: failure)
        }

        /// True if the current check takes so long that no further request should wait for it.
        func isSlow(_ now: Instant) -> Bool { began.map { $0.duration(to: now) > RecentReadiness.longestAge } ?? false }
    }

    private struct Found: Sendable {
        let failure: PostgreSQLError?

        func check() throws(PostgreSQLError) { if let failure { throw failure } }
    }

    private static let longestAge = Duration.seconds(1)
    /// The time from the start of one check to the next, if a client has sent a request meanwhile.
    private static let interval = Duration.milliseconds(500)

    private let check: Check
    private let longestWait: Duration
    private let mostWaiting: Int
    private let state = Monitor(State())
    private let loop = ThreadLoop()

    /// - Parameters:
    ///   - longestWait: the maximum wait of a request for a check.
    ///   - mostWaiting: the maximum number of requests that wait for a slow check. Each occupies a worker.
    init(longestWait: Duration, mostWaiting: Int, check: @escaping Check) {
        (self.check, self.longestWait, self.mostWaiting) = (check, longestWait, mostWaiting)
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: "the readiness", first: .whenWoken) { [self] in run() }
    }

    /// Ends the thread.
    func stop() { loop.stop() }

    /// True if a recent result is available. False if the caller has to ``wait()``.
    ///
    /// - Throws: the error of the recent result.
    func answers() throws(PostgreSQLError) -> Bool {
        let found = state.withLock { state in
            state.isWanted = true
            return state.recent(.now)
        }
        loop.wake()
        guard let found else { return false }
        try found.check()
        return true
    }

    /// Waits for a recent result.
    func wait() throws(PostgreSQLError) {
        let deadline = ContinuousClock.now + longestWait
        let mayWait = state.withLock { state in
            guard state.waiting < mostWaiting || !state.isSlow(.now) else { return false }
            state.waiting += 1
            state.isWanted = true
            return true
        }
        guard mayWait else { throw .acquireTimeout }
        loop.wake()
        let found = state.wait(until: deadline) { $0.recent(.now) }
        state.withLock { $0.waiting -= 1 }
        guard let found else { throw .acquireTimeout }
        try found.check()
    }

    private func run() -> ThreadLoop.Next {
        let begins = state.withLock { state in
            guard state.isWanted, state.next <= .now else { return false }
            (state.isWanted, state.began, state.next) = (false, .now, .now + Self.interval)
            return true
        }
        if begins { note(failure()) }
        return state.withLock { $0.isWanted ? .at($0.next) : .whenWoken }
    }

    private func failure() -> PostgreSQLError? {
        do throws(PostgreSQLError) {
            try check()
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

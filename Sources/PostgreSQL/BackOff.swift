import Threads

/// When the next attempt to connect may be made after some have failed, without a clock or a die of its own.
struct BackOff: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// The longest is half of the second within which service is to be full again once the database is back.
    private static let pause = GrowingPause(first: .milliseconds(50), longest: .milliseconds(500))

    private var failures = 0
    /// Why the last attempt failed; nil while none has.
    private(set) var failure: PostgreSQLError?
    private(set) var nextAttempt: Instant?

    /// Whether the last attempt failed.
    var isActive: Bool { failures > 0 }

    /// - Parameter jitter: from 0 up to 1, so that many servers do not come back in step.
    mutating func failed(_ failure: PostgreSQLError, now: Instant, jitter: Double) {
        failures += 1
        self.failure = failure
        nextAttempt = now + Self.pause.after(failures: failures, jitter: jitter)
    }

    mutating func succeeded() { self = BackOff() }
}

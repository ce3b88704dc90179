/// When the next attempt to connect may be made after some have failed, without a clock or a die of its own.
struct BackOff: Sendable {
    typealias Instant = ContinuousClock.Instant

    /// After the first failure; each further one doubles it.
    private static let firstPause = Duration.milliseconds(50)
    /// Half of the second within which service is to be full again once the database is back.
    static let longestPause = Duration.milliseconds(500)

    private var failures = 0
    /// Why the last attempt failed; nil while none has.
    private(set) var reason: String?
    private(set) var nextAttempt: Instant?

    /// Whether the last attempt failed.
    var isActive: Bool { failures > 0 }

    /// - Parameter jitter: from 0 up to 1, so that many servers do not come back in step.
    mutating func failed(_ reason: String, now: Instant, jitter: Double) {
        failures += 1
        self.reason = reason
        nextAttempt = now + pause(jitter: jitter)
    }

    mutating func succeeded() { self = BackOff() }

    /// Between half and the whole of the doubled pause.
    private func pause(jitter: Double) -> Duration {
        let doublings = min(failures - 1, 16)
        return min(Self.firstPause * (1 << doublings), Self.longestPause) * (0.5 + jitter / 2)
    }
}

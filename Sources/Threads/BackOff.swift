/// The time of the next attempt after failures in a row. Each pause is twice as long as the one before, up to a limit.
///
/// Time and jitter are arguments, so tests need no sleep.
///
///     var backOff = BackOff(first: .seconds(1), longest: .seconds(60))
///     backOff.failed(now: .now, jitter: .random(in: 0..<1))  // next attempt after 0.5 to 1 s
///     backOff.failed(now: .now, jitter: .random(in: 0..<1))  // after 1 to 2 s
///     backOff.succeeded()
public struct BackOff: Sendable {
    public typealias Instant = ContinuousClock.Instant

    private let first: Duration
    private let longest: Duration
    private var failures = 0
    /// The earliest time of the next attempt. Nil if the last attempt did not fail.
    public private(set) var nextAttempt: Instant?

    public init(first: Duration, longest: Duration) { (self.first, self.longest) = (first, longest) }

    /// Whether the last attempt failed.
    public var isActive: Bool { failures > 0 }

    /// Whether it is too early for the next attempt.
    public func isWaiting(_ now: Instant) -> Bool { nextAttempt.map { now < $0 } ?? false }

    /// Records a failure and returns the pause after it.
    ///
    /// - Parameter jitter: from 0 (half of the pause) to 1 (all of it), so that many servers do not retry in step.
    @discardableResult
    public mutating func failed(now: Instant, jitter: Double = 1) -> Duration {
        let pause = min(first * (1 << min(failures, 16)), longest) * (0.5 + jitter / 2)
        failures += 1
        nextAttempt = now + pause
        return pause
    }

    public mutating func succeeded() { (failures, nextAttempt) = (0, nil) }
}

import API
import Threads

/// The limit of requests for each subject, by the generic cell rate algorithm; the caller passes the time.
///
/// It stores one instant for each subject: the end of its requests so far if they were spread out at the allowed rate.
/// A request may be early by as much as the burst allows.
struct RateLimit {
    private let interval: Duration
    private let tolerance: Duration
    private var spreadUntil: [[UInt8]: ContinuousClock.Instant] = [:]
    private var sweepAt = 10_000

    /// - Parameters:
    ///   - rate: requests a second, at least 1.
    ///   - burst: requests at once.
    init(rate: Int, burst: Int) {
        interval = .seconds(1) / rate
        tolerance = interval * burst
    }

    /// Counts a request, unless it is one too many; then returns how long to wait.
    ///
    /// - Parameter subject: its bytes are compared, since `==` of strings ignores normalization.
    mutating func take(_ subject: String, now: ContinuousClock.Instant) -> Duration? {
        let wait = Self.spread(&spreadUntil[Array(subject.utf8), default: now], interval, tolerance, now)
        if spreadUntil.count >= sweepAt { sweep(now) }
        return wait
    }

    private static func spread(
        _ end: inout ContinuousClock.Instant, _ interval: Duration, _ tolerance: Duration,
        _ now: ContinuousClock.Instant
    ) -> Duration? {
        let next = max(end, now) + interval
        let excess = now.duration(to: next) - tolerance
        guard excess <= .zero else { return excess }
        end = next
        return nil
    }

    var subjects: Int { spreadUntil.count }

    /// Removes the subjects that have the whole burst again, so that memory depends on the active ones alone.
    private mutating func sweep(_ now: ContinuousClock.Instant) {
        spreadUntil = spreadUntil.filter { $0.value > now }
        sweepAt = max(10_000, 2 * spreadUntil.count)
    }
}

/// The limit for all worker threads together; called after authentication.
final class RateLimiter: Sendable {
    private let limit: Monitor<RateLimit>

    init(rate: Int) { limit = Monitor(RateLimit(rate: rate, burst: 2 * rate)) }

    /// - Throws: a 429 with `Retry-After`.
    func admit(_ principal: Principal) throws(Problem) {
        let now = ContinuousClock.now
        let wait = limit.withLock { $0.take(principal.subject, now: now) }
        guard let wait else { return }
        throw .tooManyRequests(retryAfter: max(1, Int((wait / .seconds(1)).rounded(.up))))
    }
}

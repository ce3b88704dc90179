import API
import JWT
import Threads

/// Limits the requests of each subject by the generic cell rate algorithm. The caller passes the time.
///
/// It stores one instant per subject: the end of its requests so far if they had been spread out at the allowed rate.
/// A request is allowed before that instant by as much as the burst permits.
struct RateLimit {
    private let interval: Duration
    private let tolerance: Duration
    private var spreadUntil: [[UInt8]: ContinuousClock.Instant] = [:]
    private var sweepAt = 10_000

    /// - Parameters:
    ///   - rate: requests per second, at least 1.
    ///   - burst: the number of requests that may be made at once.
    init(rate: Int, burst: Int) {
        interval = .seconds(1) / rate
        tolerance = interval * burst
    }

    /// Counts a request. If it exceeds the limit, it is not counted and the time to wait is returned.
    ///
    /// - Parameter subject: it is compared by bytes, because `==` of strings ignores normalization.
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

    /// Removes subjects whose whole burst is available again, so that memory depends only on the active ones.
    private mutating func sweep(_ now: ContinuousClock.Instant) {
        spreadUntil = spreadUntil.filter { $0.value > now }
        sweepAt = max(10_000, 2 * spreadUntil.count)
    }
}

/// The rate limit of all worker threads together, applied after authentication.
final class RateLimiter: Sendable {
    private let limit: Monitor<RateLimit>

    init(rate: Int) { limit = Monitor(RateLimit(rate: rate, burst: 2 * rate)) }

    /// - Throws: a 429 with `Retry-After`.
    func admit(_ claims: Claims) throws(Problem) {
        let now = ContinuousClock.now
        let wait = limit.withLock { $0.take(claims.subject, now: now) }
        guard let wait else { return }
        throw .tooManyRequests(retryAfter: max(1, Int((wait / .seconds(1)).rounded(.up))))
    }
}

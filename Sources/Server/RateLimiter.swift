import API
import JWT
import Threads

/// How often each subject may ask, without a clock: the generic cell rate algorithm.
///
/// For each subject it keeps one instant: when all its requests so far would have been spread out at the
/// allowed rate. A request may come early by as much as the burst allows.
struct RateLimit {
    /// Who asks, as two digests of the bytes, seeded anew in each process and taken before the lock: however long the
    /// text is, it takes as little. Of two who met in both, each would count for the other too, and nothing more.
    struct Subject: Hashable, Sendable {
        private let first: Int
        private let second: Int

        init(_ text: String) {
            var text = text
            (first, second) = text.withUTF8 { bytes in (Self.digest(bytes, 1), Self.digest(bytes, 2)) }
        }

        private static func digest(_ bytes: UnsafeBufferPointer<UInt8>, _ which: UInt8) -> Int {
            var hasher = Hasher()
            hasher.combine(which)
            hasher.combine(bytes: UnsafeRawBufferPointer(bytes))
            return hasher.finalize()
        }

        func hash(into hasher: inout Hasher) { hasher.combine(first) }
    }

    private let interval: Duration
    private let tolerance: Duration
    private var spreadUntil: [Subject: ContinuousClock.Instant] = [:]
    private var sweepAt = 10_000

    /// - Parameters:
    ///   - rate: requests a second, at least 1.
    ///   - burst: requests at once.
    init(rate: Int, burst: Int) {
        interval = .seconds(1) / rate
        tolerance = interval * burst
    }

    /// Counts a request; returns how long to wait where it is one too many, which then does not count.
    mutating func take(_ subject: Subject, now: ContinuousClock.Instant) -> Duration? {
        // In place, so that the subject is looked up once.
        let wait = Self.spread(&spreadUntil[subject, default: now], interval, tolerance, now)
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

    /// Forgets whoever has all of the burst again, so that memory follows the active subjects.
    private mutating func sweep(_ now: ContinuousClock.Instant) {
        spreadUntil = spreadUntil.filter { $0.value > now }
        sweepAt = max(10_000, 2 * spreadUntil.count)
    }
}

/// The limit on all worker threads together: a hook after authentication.
final class RateLimiter: Sendable {
    private let limit: Monitor<RateLimit>

    init(rate: Int) { limit = Monitor(RateLimit(rate: rate, burst: 2 * rate)) }

    /// - Throws: a 429 with `Retry-After`.
    func admit(_ claims: Claims) throws(Problem) {
        let (subject, now) = (RateLimit.Subject(claims.subject), ContinuousClock.now)
        let wait = limit.withLock { $0.take(subject, now: now) }
        guard let wait else { return }
        throw .tooManyRequests(retryAfter: max(1, Int((wait / .seconds(1)).rounded(.up))))
    }
}

import Threads

/// Decides when the keys are fetched; it starts nothing, reads no clock, and its tests need no sleep.
struct FetchSchedule {
    typealias Instant = ContinuousClock.Instant

    /// The pace of fetching.
    struct Pace: Sendable {
        /// From the end of one fetch to the next.
        var interval: Duration
        /// The first pause after a failure, while no fetch has succeeded yet; each further one is twice as long.
        var firstRetry: Duration
        /// The longest of these pauses.
        var longestRetry: Duration
        /// The least time from one fetch for an unknown key to the next.
        var unknownKeyGap: Duration
        /// How long a request waits for a fetch, counted from when that is to begin.
        var longestWait: Duration

        /// A server of keys: it should not be bothered often, but a first answer is needed soon.
        static let url = Pace(
            interval: .seconds(300), firstRetry: .milliseconds(500), longestRetry: .seconds(10),
            unknownKeyGap: .seconds(30), longestWait: .seconds(2))
        /// A local file: reading it costs microseconds, so it is read again instead of watched.
        static let file = Pace(
            interval: .seconds(1), firstRetry: .seconds(1), longestRetry: .seconds(1),
            unknownKeyGap: .zero, longestWait: .seconds(2))

        /// Often enough that keys which can be read do not grow as old as `longest`.
        func within(_ longest: Duration) -> Pace {
            var pace = self
            pace.interval = min(pace.interval, longest / 3)
            return pace
        }
    }

    /// What a request with an unknown key is to do.
    enum Answer: Equatable {
        /// Refuse the token: nothing new is to be had now.
        case refuse
        /// Wait until this many fetches have ended, or until an instant.
        case wait(fetches: UInt64, until: Instant)
    }

    private let pace: Pace
    private var inFlightSince: Instant?
    private var lastForUnknownKey: Instant?
    private var failures = 0
    private var hasSucceeded: Bool
    /// When the next fetch is to begin.
    private(set) var due: Instant
    /// How many fetches have ended.
    private(set) var fetchesEnded: UInt64 = 0

    /// - Parameters:
    ///   - hasKeys: whether keys are there already, so that the first fetch is not urgent.
    init(pace: Pace, hasKeys: Bool, now: Instant) {
        self.pace = pace
        hasSucceeded = hasKeys
        due = hasKeys ? now + pace.interval : now
    }

    /// Whether a fetch is to begin now; true marks it as begun.
    mutating func begin(now: Instant) -> Bool {
        guard inFlightSince == nil, now >= due else { return false }
        inFlightSince = now
        return true
    }

    /// Notes the end of the fetch that was begun.
    ///
    /// - Parameters:
    ///   - jitter: from 0 up to 1, so that many servers do not come back in step.
    ///   - goodUntil: when the keys that are there will be too old; from then on it is as if there were none.
    mutating func end(now: Instant, succeeded: Bool, jitter: Double, goodUntil: Instant? = nil) {
        inFlightSince = nil
        fetchesEnded += 1
        let isTooLate = goodUntil.map { now >= $0 } ?? false
        hasSucceeded = succeeded || hasSucceeded && !isTooLate
        failures = succeeded ? 0 : failures + 1
        due = now + (hasSucceeded ? pace.interval : retryPause(jitter: jitter))
        if !succeeded, hasSucceeded, let goodUntil { due = min(due, goodUntil) }
    }

    /// Lets the next fetch begin now, whatever it would wait for.
    mutating func hasten(now: Instant) { due = min(due, now) }

    /// Whether a request whose token names a key that is not there would wait now.
    func wouldWait(now: Instant) -> Bool {
        var schedule = self
        if case .wait = schedule.unknownKey(now: now) { return true }
        return false
    }

    /// Decides for a request whose token names a key that is not there.
    mutating func unknownKey(now: Instant) -> Answer {
        if let inFlightSince { return wait(from: inFlightSince, now: now) }
        // A fetch that is due anyway serves as well.
        if now >= due { return wait(from: due, now: now) }
        if let last = lastForUnknownKey, now < last + pace.unknownKeyGap { return .refuse }
        lastForUnknownKey = now
        due = now
        return wait(from: now, now: now)
    }

    /// Counted from the beginning of the fetch, so that a slow server of keys cannot hold one worker after
    /// the other for its whole duration.
    private func wait(from start: Instant, now: Instant) -> Answer {
        let end = start + pace.longestWait
        return now < end ? .wait(fetches: fetchesEnded + 1, until: end) : .refuse
    }

    private func retryPause(jitter: Double) -> Duration {
        GrowingPause(first: pace.firstRetry, longest: pace.longestRetry).after(failures: failures, jitter: jitter)
    }
}

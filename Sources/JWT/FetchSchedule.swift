import Threads

/// Decides when the keys are fetched, without a thread or a clock of its own.
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

    /// The decision for a request with an unknown key.
    enum Answer: Equatable {
        /// Refuse the token, since no new key is available now.
        case refuse
        /// Wait until this many fetches have ended, or until an instant.
        case wait(fetches: UInt64, until: Instant)
    }

    private let pace: Pace
    private var inFlightSince: Instant?
    private var lastForUnknownKey: Instant?
    private var retry: BackOff
    private var hasSucceeded: Bool
    /// When the next fetch is to begin.
    private(set) var due: Instant
    /// How many fetches have ended.
    private(set) var fetchesEnded: UInt64 = 0

    /// - Parameters:
    ///   - hasKeys: whether keys are there already, so that the first fetch is not urgent.
    init(pace: Pace, hasKeys: Bool, now: Instant) {
        self.pace = pace
        retry = BackOff(first: pace.firstRetry, longest: pace.longestRetry)
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
    ///   - jitter: from 0 up to 1, so that many servers do not retry in step.
    ///   - goodUntil: when the present keys expire. From then on the schedule is that of a server without keys.
    mutating func end(now: Instant, succeeded: Bool, jitter: Double, goodUntil: Instant? = nil) {
        inFlightSince = nil
        fetchesEnded += 1
        let isTooLate = goodUntil.map { now >= $0 } ?? false
        hasSucceeded = succeeded || hasSucceeded && !isTooLate
        if succeeded { retry.succeeded() } else { retry.failed(now: now, jitter: jitter) }
        due = hasSucceeded ? now + pace.interval : retry.nextAttempt ?? now
        if !succeeded, hasSucceeded, let goodUntil { due = min(due, goodUntil) }
    }

    /// Makes the next fetch due now.
    mutating func hasten(now: Instant) { due = min(due, now) }

    /// Whether a request with an unknown key would wait now.
    func wouldWait(now: Instant) -> Bool {
        var schedule = self
        if case .wait = schedule.unknownKey(now: now) { return true }
        return false
    }

    /// Decides for a request with an unknown key.
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
}

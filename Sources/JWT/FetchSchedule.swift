import Threads

/// Decides when the keys are fetched, without a thread or a clock of its own.
struct FetchSchedule {
    typealias Instant = ContinuousClock.Instant

    /// The pace of fetching.
    struct Pace: Sendable {
        /// The time from the end of one fetch to the next.
        var interval: Duration
        /// The first pause after a failure while no fetch has succeeded yet. Each further pause is twice as long.
        var firstRetry: Duration
        /// The longest of these pauses.
        var longestRetry: Duration
        /// The least time between two fetches for unknown keys.
        var unknownKeyGap: Duration
        /// How long a request waits for a fetch, counted from the time at which the fetch begins or is due.
        var longestWait: Duration

        /// The pace for a key server. It should get few requests, but the first keys are needed soon.
        static let url = Pace(
            interval: .seconds(300), firstRetry: .milliseconds(500), longestRetry: .seconds(10),
            unknownKeyGap: .seconds(30), longestWait: .seconds(2))
        /// The pace for a local file. Reading it costs microseconds, so it is read again instead of watched.
        static let file = Pace(
            interval: .seconds(1), firstRetry: .seconds(1), longestRetry: .seconds(1),
            unknownKeyGap: .zero, longestWait: .seconds(2))

        /// The pace, shortened so that readable keys do not reach the age `longest`.
        func within(_ longest: Duration) -> Pace {
            var pace = self
            pace.interval = min(pace.interval, longest / 3)
            return pace
        }
    }

    /// The decision about a request with an unknown key.
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
    /// When the next fetch is due.
    private(set) var due: Instant
    /// The number of fetches that have ended.
    private(set) var fetchesEnded: UInt64 = 0

    /// - Parameter hasKeys: whether there are keys already, so that the first fetch is not urgent.
    init(pace: Pace, hasKeys: Bool, now: Instant) {
        self.pace = pace
        retry = BackOff(first: pace.firstRetry, longest: pace.longestRetry)
        hasSucceeded = hasKeys
        due = hasKeys ? now + pace.interval : now
    }

    /// Begins a fetch if one is due. Returns false otherwise.
    mutating func begin(now: Instant) -> Bool {
        guard inFlightSince == nil, now >= due else { return false }
        inFlightSince = now
        return true
    }

    /// Records the end of the current fetch.
    ///
    /// - Parameters:
    ///   - jitter: from 0 up to 1. It keeps many servers from retrying at the same time.
    ///   - validUntil: when the present keys expire. From then on the schedule is that of a server without keys.
    mutating func end(now: Instant, succeeded: Bool, jitter: Double, validUntil: Instant? = nil) {
        inFlightSince = nil
        fetchesEnded += 1
        let isTooLate = validUntil.map { now >= $0 } ?? false
        hasSucceeded = succeeded || hasSucceeded && !isTooLate
        if succeeded { retry.succeeded() } else { retry.failed(now: now, jitter: jitter) }
        due = hasSucceeded ? now + pace.interval : retry.nextAttempt ?? now
        if !succeeded, hasSucceeded, let validUntil { due = min(due, validUntil) }
    }

    /// Makes the next fetch due now.
    mutating func hasten(now: Instant) { due = min(due, now) }

    /// True if a request with an unknown key would wait now.
    func wouldWait(now: Instant) -> Bool {
        var schedule = self
        if case .wait = schedule.unknownKey(now: now) { return true }
        return false
    }

    /// Decides about a request with an unknown key.
    mutating func unknownKey(now: Instant) -> Answer {
        if let inFlightSince { return wait(from: inFlightSince, now: now) }
        // A fetch that is due anyway may bring the key too.
        if now >= due { return wait(from: due, now: now) }
        if let last = lastForUnknownKey, now < last + pace.unknownKeyGap { return .refuse }
        lastForUnknownKey = now
        due = now
        return wait(from: now, now: now)
    }

    /// Limits the wait to a time counted from the beginning of the fetch.
    ///
    /// So a slow key server cannot hold one worker after another for the whole duration of the fetch.
    private func wait(from start: Instant, now: Instant) -> Answer {
        let end = start + pace.longestWait
        return now < end ? .wait(fetches: fetchesEnded + 1, until: end) : .refuse
    }
}

import Testing

@testable import JWT

/// A schedule with times in seconds from its start.
private final class Schedule {
    private static let start = ContinuousClock.now
    private var schedule: FetchSchedule

    init(pace: FetchSchedule.Pace = .url, hasKeys: Bool = false) {
        schedule = FetchSchedule(pace: pace, hasKeys: hasKeys, now: Self.start)
    }

    /// A schedule with a successful first fetch at the time 0.
    static func running() -> Schedule {
        let schedule = Schedule()
        _ = schedule.begin(at: 0)
        schedule.end(at: 0, succeeded: true, jitter: 0)
        return schedule
    }

    static func time(_ seconds: Double) -> ContinuousClock.Instant {
        start + .milliseconds(Int((seconds * 1000).rounded()))
    }

    var due: Double { Double(Int((Self.start.duration(to: schedule.due) / .milliseconds(1)).rounded())) / 1000 }
    var fetchesEnded: UInt64 { schedule.fetchesEnded }

    func begin(at seconds: Double) -> Bool { schedule.begin(now: Self.time(seconds)) }

    func end(at seconds: Double, succeeded: Bool, jitter: Double) {
        schedule.end(now: Self.time(seconds), succeeded: succeeded, jitter: jitter)
    }

    func unknownKey(at seconds: Double) -> FetchSchedule.Answer { schedule.unknownKey(now: Self.time(seconds)) }
}

@Suite struct FetchScheduleTests {
    @Test("The first fetch is due at the start, and only one fetch runs at a time")
    func first() {
        let schedule = Schedule()
        #expect(schedule.begin(at: 0))
        #expect(!schedule.begin(at: 1000))
    }

    @Test("Pauses between failures double up to a limit until the first success")
    func backOff() {
        let schedule = Schedule()
        var time = 0.0
        var pauses: [Double] = []
        for _ in 0..<7 {
            #expect(schedule.begin(at: time))
            schedule.end(at: time, succeeded: false, jitter: 1)
            pauses.append(schedule.due - time)
            time = schedule.due
        }
        #expect(pauses == [0.5, 1, 2, 4, 8, 10, 10])
    }

    @Test("Jitter shortens a pause by at most half")
    func jitter() {
        let schedule = Schedule()
        _ = schedule.begin(at: 0)
        schedule.end(at: 0, succeeded: false, jitter: 0)
        #expect(schedule.due == 0.25)
    }

    @Test("A thousand failures cause no overflow")
    func manyFailures() {
        let schedule = Schedule()
        for _ in 0..<1000 {
            _ = schedule.begin(at: schedule.due)
            schedule.end(at: schedule.due, succeeded: false, jitter: 1)
        }
        #expect(schedule.fetchesEnded == 1000)
    }

    @Test("After a success the next fetch is due in 5 minutes, even after a later failure")
    func interval() {
        let schedule = Schedule.running()
        #expect(schedule.due == 300)
        #expect(!schedule.begin(at: 299.999))
        #expect(schedule.begin(at: 300))
        schedule.end(at: 302, succeeded: false, jitter: 1)
        #expect(schedule.due == 602)
    }

    @Test("With initial keys, the first fetch is not urgent")
    func keysAtHand() {
        #expect(Schedule(hasKeys: true).due == 300)
    }

    @Test("An unknown key causes a fetch at once, and the wait for it is at most 2 seconds")
    func unknownKey() {
        let schedule = Schedule.running()
        #expect(schedule.unknownKey(at: 10) == .wait(fetches: 2, until: Schedule.time(12)))
        #expect(schedule.begin(at: 10))
    }

    @Test("Further unknown keys cause no fetch for 30 seconds")
    func gap() {
        let schedule = Schedule.running()
        _ = schedule.unknownKey(at: 10)
        _ = schedule.begin(at: 10)
        schedule.end(at: 10.5, succeeded: true, jitter: 0)
        #expect(schedule.unknownKey(at: 10.6) == .refuse)
        #expect(schedule.unknownKey(at: 39.999) == .refuse)
        #expect(schedule.unknownKey(at: 40) == .wait(fetches: 3, until: Schedule.time(42)))
    }

    @Test("The gap is counted from the last fetch for an unknown key, not from a regular one")
    func gapAfterRegularFetch() {
        let schedule = Schedule.running()
        _ = schedule.begin(at: 300)
        schedule.end(at: 300, succeeded: true, jitter: 0)
        #expect(schedule.unknownKey(at: 301) == .wait(fetches: 3, until: Schedule.time(303)))
    }

    @Test("A failed fetch for an unknown key counts for the gap as well")
    func gapAfterFailure() {
        let schedule = Schedule.running()
        _ = schedule.unknownKey(at: 10)
        _ = schedule.begin(at: 10)
        schedule.end(at: 11, succeeded: false, jitter: 0)
        #expect(schedule.unknownKey(at: 12) == .refuse)
        #expect(schedule.due == 311)
    }

    @Test("Requests join a running fetch until 2 seconds after it began")
    func join() {
        let schedule = Schedule.running()
        _ = schedule.begin(at: 300)
        #expect(schedule.unknownKey(at: 301) == .wait(fetches: 2, until: Schedule.time(302)))
        #expect(schedule.unknownKey(at: 302) == .refuse)
        schedule.end(at: 304, succeeded: true, jitter: 0)
        // Joining a fetch did not use up the gap.
        #expect(schedule.unknownKey(at: 304) == .wait(fetches: 3, until: Schedule.time(306)))
    }

    @Test("Requests join a fetch that is due and has not begun")
    func joinPending() {
        let schedule = Schedule.running()
        #expect(schedule.unknownKey(at: 10) == .wait(fetches: 2, until: Schedule.time(12)))
        #expect(schedule.unknownKey(at: 10.1) == .wait(fetches: 2, until: Schedule.time(12)))
    }

    @Test("A file is read again for each unknown key, since that is cheap")
    func file() {
        let schedule = Schedule(pace: .file, hasKeys: true)
        #expect(schedule.due == 1)
        for time in [0.1, 0.2, 0.3] {
            guard case .wait = schedule.unknownKey(at: time) else {
                Issue.record("the schedule refuses to read the file")
                return
            }
            #expect(schedule.begin(at: time))
            schedule.end(at: time, succeeded: true, jitter: 0)
        }
    }
}

import API
import Testing

@testable import Server

@Suite("The timeout of requests in the queue")
struct QueueTimeoutTests {
    private let timeout = QueueTimeout(longest: .seconds(1))

    @Test("A request that waited too long is refused with 503 and Retry-After")
    func refusal() throws {
        try timeout.check(forwardedAt: 100, now: 101)
        let problem = #expect(throws: Problem.self) { try timeout.check(forwardedAt: 100, now: 101.01) }
        #expect(problem?.status == 503)
        #expect(problem?.headers.contains { $0.name == "Retry-After" } == true)
    }

    @Test("A clock that was set, or that of another machine, is not taken for a wait", arguments: [99.9, 120.5, 4000])
    func clocks(now: Double) throws {
        try timeout.check(forwardedAt: 100, now: now)
    }

    @Test("Without the time of nginx, or with nginx on another machine, there is no limit")
    func unlimited() throws {
        try timeout.check(forwardedAt: nil, now: 110)
        try QueueTimeout(longest: nil).check(forwardedAt: 100, now: 110)
    }

    @Test("The timeout is checked before the token and the database")
    func order() throws {
        let harness = try Harness(answer: riskMetricsRow)
        var ask = try Ask.api("risk-metrics")
        ask.forwardedAt = wallClock() - 5
        ask.authorization = nil
        #expect(harness.serve(ask).status == 503)
        #expect(harness.questions == [])
        ask = try Ask.api("risk-metrics")
        ask.forwardedAt = wallClock()
        #expect(harness.serve(ask).status == 200)
    }

    @Test("A health check has no timeout")
    func health() throws {
        var ask = Ask(target: "/health")
        ask.forwardedAt = wallClock() - 5
        #expect(try Harness().serve(ask).status == 200)
    }
}

@Suite("The clock for tokens")
struct TokenClockTests {
    private let clock = TokenClock(wall: 1000, steady: 10)

    @Test("The clock follows the machine's, even if that is set forward and back")
    func forward() {
        #expect(clock.now(wall: 1005, steady: 15).now == 1005)
        #expect(clock.now(wall: 9005, steady: 15).now == 9005)
        #expect(clock.now(wall: 1006, steady: 16).now == 1006)
    }

    @Test("The clock continues if the machine's is set back, and also returns the machine's")
    func back() {
        let time = clock.now(wall: 500, steady: 20)
        #expect(time.now == 1010 && time.wall == 500)
    }
}

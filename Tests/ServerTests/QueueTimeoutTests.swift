import API
import Testing

@testable import Server

@Suite("The timeout of requests in the queue")
struct QueueTimeoutTests {
    private let timeout = QueueTimeout(longest: .seconds(1))

    @Test("refuses what waited longer than it may, to be tried again")
    func refusal() throws {
        try timeout.check(handedOver: 100, now: 101)
        let problem = #expect(throws: Problem.self) { try timeout.check(handedOver: 100, now: 101.01) }
        #expect(problem?.status == 503)
        #expect(problem?.headers.contains { $0.name == "Retry-After" } == true)
    }

    @Test("does not take a clock that was set, or another machine's, for a wait", arguments: [99.9, 120.5, 4000])
    func clocks(now: Double) throws {
        try timeout.check(handedOver: 100, now: now)
    }

    @Test("knows no limit where nginx does not say when, or runs elsewhere")
    func unlimited() throws {
        try timeout.check(handedOver: nil, now: 110)
        try QueueTimeout(longest: nil).check(handedOver: 100, now: 110)
    }

    @Test("is asked before the token and the database are")
    func order() throws {
        let harness = try Harness(answer: riskMetricsRow)
        var ask = try Ask.api("risk-metrics")
        ask.handedOver = wallClock() - 5
        ask.authorization = nil
        #expect(harness.serve(ask).status == 503)
        #expect(harness.questions == [])
        ask = try Ask.api("risk-metrics")
        ask.handedOver = wallClock()
        #expect(harness.serve(ask).status == 200)
    }

    @Test("never keeps a health check waiting")
    func health() throws {
        var ask = Ask(target: "/health")
        ask.handedOver = wallClock() - 5
        #expect(try Harness().serve(ask).status == 200)
    }
}

@Suite("The clock that tokens are judged by")
struct TokenClockTests {
    private let clock = TokenClock(wall: 1000, steady: 10)

    @Test("follows the machine's clock, also to where it is set forward and back again")
    func forward() {
        #expect(clock.now(wall: 1005, steady: 15).now == 1005)
        #expect(clock.now(wall: 9005, steady: 15).now == 9005)
        #expect(clock.now(wall: 1006, steady: 16).now == 1006)
    }

    @Test("goes on where the machine's clock is set back, and knows that one too")
    func back() {
        let time = clock.now(wall: 500, steady: 20)
        #expect(time.now == 1010 && time.wall == 500)
    }
}

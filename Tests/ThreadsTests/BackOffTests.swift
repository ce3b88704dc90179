import Testing
import Threads

@Suite("The back-off")
struct BackOffTests {
    private let start = ContinuousClock.now

    @Test("The pause doubles up to its limit, and jitter shortens it by at most half")
    func pauses() throws {
        for (jitter, expected) in [(1.0, [50, 100, 200, 400, 500, 500]), (0.0, [25, 50, 100, 200, 250, 250])] {
            var backOff = BackOff(first: .milliseconds(50), longest: .milliseconds(500))
            for milliseconds in expected {
                #expect(backOff.failed(now: start, jitter: jitter) == .milliseconds(milliseconds))
                let next = try #require(backOff.nextAttempt)
                #expect(next == start + .milliseconds(milliseconds))
                #expect(backOff.isWaiting(start) && !backOff.isWaiting(next))
            }
            for _ in 0..<100 { backOff.failed(now: start, jitter: jitter) }
            #expect(try #require(backOff.nextAttempt) == start + .milliseconds(jitter == 1 ? 500 : 250))
            backOff.succeeded()
            #expect(!backOff.isActive && !backOff.isWaiting(start))
        }
    }
}

import API
import JWT
import Testing

@testable import Server

@Suite("The rate limit")
struct RateLimitTests {
    private let start = ContinuousClock.now
    private let user = "user_1"

    @Test("A burst passes at once, and then requests pass at the rate", arguments: [1, 3, 50, 1_000_000])
    func burst(rate: Int) throws {
        var limit = RateLimit(rate: rate, burst: 20)
        for _ in 0..<20 { #expect(limit.take(user, now: start) == nil) }
        let interval = Duration.seconds(1) / rate
        #expect(limit.take(user, now: start) == interval)
        for number in 1...5 {
            let now = start + interval * number
            #expect(limit.take(user, now: now - interval / 2) != nil)
            #expect(limit.take(user, now: now) == nil)
            #expect(limit.take(user, now: now) == interval)
        }
    }

    @Test("A refusal returns the remaining time, and does not prolong it")
    func refused() throws {
        var limit = RateLimit(rate: 10, burst: 1)
        #expect(limit.take(user, now: start) == nil)
        for _ in 0..<100 { #expect(limit.take(user, now: start) == .milliseconds(100)) }
        #expect(limit.take(user, now: start + .milliseconds(60)) == .milliseconds(40))
        #expect(limit.take(user, now: start + .milliseconds(100)) == nil)
    }

    @Test("After a rest of any length, one full burst passes")
    func recovery() {
        var limit = RateLimit(rate: 10, burst: 20)
        var now = start
        for rest in [Duration.zero, .seconds(2), .seconds(86_400)] {
            now += rest
            for _ in 0..<20 { #expect(limit.take(user, now: now) == nil) }
            #expect(limit.take(user, now: now) != nil)
        }
        now += .seconds(1)
        #expect((0..<20).count { _ in limit.take(user, now: now) == nil } == 10)
    }

    @Test("Over any time, the rate and one burst pass")
    func overTime() {
        var limit = RateLimit(rate: 50, burst: 100)
        let passed = (0...10_000).count { limit.take(user, now: start + .milliseconds($0)) == nil }
        #expect(passed == 100 + 50 * 10)
    }

    @Test("Subjects are limited separately, and compared byte by byte")
    func subjects() {
        var limit = RateLimit(rate: 1, burst: 1)
        for subject in ["user_1", "user_2", "User_1", "caf\u{E9}", "cafe\u{301}", ""] {
            #expect(limit.take(subject, now: start) == nil)
            #expect(limit.take(subject, now: start) != nil)
        }
        #expect(limit.subjects == 6)
    }

    @Test("A subject with its full burst is forgotten, and no other")
    func sweep() {
        var limit = RateLimit(rate: 1, burst: 2)
        for number in 0..<9_998 { _ = limit.take("idle_\(number)", now: start) }
        let later = start + .seconds(1)
        for _ in 0..<2 { #expect(limit.take(user, now: later) == nil) }
        #expect(limit.subjects == 9_999)
        #expect(limit.take("last", now: later) == nil)
        #expect(limit.subjects == 2)
        #expect(limit.take(user, now: later) != nil)
    }

    @Test("Each subject may send twice the rate at once, and then gets 429 with whole seconds to wait")
    func limiter() throws {
        let limiter = RateLimiter(rate: 2)
        let principal = Claims(subject: "user_1", expiresAt: 0)
        var passed = 0
        var refusal: Problem?
        while refusal == nil, passed < 100_000 {
            do throws(Problem) {
                try limiter.admit(principal)
                passed += 1
            } catch { refusal = error }
        }
        #expect(passed >= 4)
        #expect(refusal?.status == 429)
        #expect(refusal?.headers == [Header("Retry-After", "1")])
        #expect(throws: Never.self) { try limiter.admit(Claims(subject: "user_2", expiresAt: 0)) }
    }
}

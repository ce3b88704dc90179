import Testing

@testable import PostgreSQL

@Suite("The pool while the database is away")
struct PoolBackOffTests {
    private let start = ContinuousClock.now

    private func state(capacity: Int = 4) -> PoolState<String> {
        PoolState(capacity: capacity, maximumAge: .seconds(60))
    }

    /// A pool that failed to connect at `start`, with a first pause of exactly 50 ms.
    private func away() -> PoolState<String> {
        var state = state()
        _ = state.lease(state.takeTicket(), now: start)
        state.openFailed(.connectionLost("refused"), now: start, jitter: 1)
        return state
    }

    @Test("Between two attempts, callers are refused at once with the reason of the last")
    func refusal() {
        var state = away()
        let (first, second) = (state.takeTicket(), state.takeTicket())
        #expect(state.lease(second, now: start).refusal == "refused")
        #expect(state.lease(first, now: start + .milliseconds(49)).refusal == "refused")
        #expect(state.waiting == 0)
        #expect(state.leased == 0)
    }

    @Test("One caller at a time tries to connect, and the others wait for its result")
    func oneAttempt() {
        var state = away()
        let later = start + .milliseconds(50)
        let (first, second) = (state.takeTicket(), state.takeTicket())
        #expect(state.lease(first, now: later).isOpen)
        #expect(state.lease(second, now: later).isWait)
        state.openFailed(.connectionLost("still refused"), now: later, jitter: 0)
        #expect(state.lease(second, now: later).refusal == "still refused")
    }

    @Test("After one successful attempt, all callers may open connections again")
    func recovery() {
        var state = away()
        let later = start + .milliseconds(50)
        let tickets = (0..<4).map { _ in state.takeTicket() }
        #expect(state.lease(tickets[0], now: later).isOpen)
        state.opened(host: 0)
        for ticket in tickets[1...] { #expect(state.lease(ticket, now: later).isOpen) }
    }

    @Test("If another connection cannot be opened, callers wait for one in use or for the next attempt")
    func partial() throws {
        var state = state()
        _ = state.lease(state.takeTicket(), now: start)
        state.opened(host: 0)
        _ = state.lease(state.takeTicket(), now: start)
        state.openFailed(.connectionLost("too many"), now: start, jitter: 1)
        let ticket = state.takeTicket()
        #expect(state.lease(ticket, now: start).waitsUntil == start + .milliseconds(50))
        #expect(state.giveBack("a", openedAt: start, condition: .good, now: start).isEmpty)
        #expect(state.lease(ticket, now: start).connection == "a")
        #expect(state.lease(state.takeTicket(), now: start + .milliseconds(50)).isOpen)
    }

    @Test("At a limit of connections, callers wait while closed sessions may still be counted")
    func ending() {
        var state = state()
        _ = state.lease(state.takeTicket(), now: start)
        state.opened(host: 0)
        #expect(state.giveBack("a", openedAt: start, condition: .broken, now: start) == ["a"])
        _ = state.lease(state.takeTicket(), now: start)
        state.openFailed(.noSession(SQLState("53300"), "too many"), now: start, jitter: 1)
        let ticket = state.takeTicket()
        #expect(state.lease(ticket, now: start).waitsUntil == start + .milliseconds(50))
        #expect(state.lease(ticket, now: start + .milliseconds(50)).isOpen)
        let later = start + .seconds(1)
        state.openFailed(.noSession(SQLState("53300"), "too many"), now: later, jitter: 1)
        #expect(state.lease(state.takeTicket(), now: later).refusal == "too many")
    }

    @Test("A leased connection is replaced by a new one to the same host")
    func replacement() {
        var state = state(capacity: 1)
        _ = state.lease(state.takeTicket(), now: start)
        state.opened(host: 1)
        _ = state.giveBack("a", openedAt: start, condition: .good, now: start)
        #expect(state.lease(state.takeTicket(), now: start).connection == "a")
        #expect(state.replace(now: start) == 1)
        state.opened(host: 1)
        #expect(state.leased == 1)
        #expect(state.idleCount == 0)
    }

    @Test("A caller that had no time left to connect does not count as a failure of the database")
    func noTime() {
        var state = state()
        _ = state.lease(state.takeTicket(), now: start)
        state.openFailed(nil, now: start, jitter: 1)
        #expect(state.lease(state.takeTicket(), now: start).isOpen)
    }

    @Test("The host of the last connection is tried first")
    func preference() {
        var state = state()
        #expect(state.lease(state.takeTicket(), now: start).host == 0)
        state.opened(host: 1)
        #expect(state.lease(state.takeTicket(), now: start).host == 1)
    }
}

extension PoolState.Lease {
    fileprivate var refusal: String? { if case .refuse(let failure) = self { failure.reason } else { nil } }
    fileprivate var host: Int? { if case .open(let host) = self { host } else { nil } }
    fileprivate var waitsUntil: ContinuousClock.Instant? { if case .wait(let instant) = self { instant } else { nil } }
}

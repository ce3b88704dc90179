import Testing

@testable import PostgreSQL

@Suite("The state of the pool")
struct PoolStateTests {
    private let start = ContinuousClock.now
    private func state(capacity: Int = 2) -> PoolState<String> {
        PoolState(capacity: capacity, maximumAge: .seconds(60))
    }

    @Test("Connections are opened up to the capacity, and then callers wait")
    func capacity() {
        var state = state()
        for _ in 0..<2 {
            let ticket = state.takeTicket()
            #expect(state.lease(ticket, now: start).isOpen)
        }
        let third = state.takeTicket()
        #expect(state.lease(third, now: start).isWait)
        #expect(state.waiting == 1)
        #expect(state.giveBack("a", openedAt: start, condition: .good, now: start).isEmpty)
        #expect(state.lease(third, now: start).connection == "a")
        #expect(state.leased == 2)
        #expect(state.waiting == 0)
    }

    @Test(
        "Room is reserved for a session in addition to the idle ones, but not before waiting callers")
    func reserving() {
        var state = state()
        let ticket = state.takeTicket()
        _ = state.lease(ticket, now: start)
        state.opened(host: 1)
        _ = state.giveBack("a", openedAt: start, condition: .good, now: start)
        #expect(state.reserve() == 1)
        state.opened(host: 1)
        #expect(state.reserve() == nil)
        state.discard(now: start)
        #expect((state.leased, state.idleCount) == (0, 1))
        let waiting = state.takeTicket()
        #expect(state.reserve() == nil)
        #expect(state.lease(waiting, now: start).connection == "a")
        #expect(state.reserve() == 1)
        state.openFailed(.connectionLost("away"), now: start, jitter: 0)
        #expect(state.reserve() == nil)
    }

    @Test("Waiting callers are served in their order")
    func fairness() {
        var state = state(capacity: 1)
        let holder = state.takeTicket()
        _ = state.lease(holder, now: start)
        let (first, second) = (state.takeTicket(), state.takeTicket())
        _ = state.giveBack("a", openedAt: start, condition: .good, now: start)
        #expect(state.lease(second, now: start).isWait)
        #expect(state.lease(first, now: start).connection == "a")
    }

    @Test("After a timeout, the next waiting caller is served")
    func nextAfterTimeout() {
        var state = state(capacity: 1)
        let holder = state.takeTicket()
        _ = state.lease(holder, now: start)
        let (first, second) = (state.takeTicket(), state.takeTicket())
        state.timeOut(first)
        #expect(state.timeouts == 1)
        _ = state.giveBack("a", openedAt: start, condition: .good, now: start)
        #expect(state.lease(second, now: start).connection == "a")
    }

    @Test("A broken connection is closed, and another one is opened in its place")
    func unclean() {
        var state = state(capacity: 1)
        _ = state.lease(state.takeTicket(), now: start)
        #expect(state.giveBack("a", openedAt: start, condition: .broken, now: start) == ["a"])
        #expect(state.idleCount == 0)
        #expect(state.lease(state.takeTicket(), now: start).isOpen)
        state.discard(now: start)
        #expect(state.leased == 0)
        #expect(state.lease(state.takeTicket(), now: start).isOpen)
    }

    @Test("After a connection broke, the idle ones are closed too")
    func suspicion() {
        var state = state()
        for _ in 0..<2 { _ = state.lease(state.takeTicket(), now: start) }
        #expect(state.giveBack("a", openedAt: start, condition: .good, now: start).isEmpty)
        #expect(state.giveBack("b", openedAt: start, condition: .broken, now: start) == ["b", "a"])
        #expect(state.idleCount == 0)
        #expect(state.leased == 0)
    }

    @Test("After a refused write, the connection and the idle ones that are not new are closed")
    func readOnly() {
        var state = state(capacity: 3)
        for _ in 0..<3 { _ = state.lease(state.takeTicket(), now: start) }
        let now = start + .seconds(2)
        #expect(state.giveBack("old", openedAt: start, condition: .good, now: now).isEmpty)
        #expect(state.giveBack("new", openedAt: start + .milliseconds(1500), condition: .good, now: now).isEmpty)
        #expect(state.giveBack("a", openedAt: start, condition: .readOnly, now: now) == ["a", "old"])
        #expect((state.leased, state.idleCount) == (0, 1))
    }

    @Test("After a change of settings, every older connection is replaced")
    func renewal() {
        var state = state(capacity: 3)
        for _ in 0..<3 { _ = state.lease(state.takeTicket(), now: start) }
        #expect(state.giveBack("idle", openedAt: start, condition: .good, now: start).isEmpty)
        let now = start + .seconds(2)
        #expect(state.renew(now: now) == ["idle"])
        #expect(state.giveBack("in use", openedAt: start, condition: .good, now: now) == ["in use"])
        #expect(state.giveBack("new", openedAt: now, condition: .good, now: now).isEmpty)
        #expect(state.idleCount == 1)
    }

    @Test("A caller that could not open a connection waits first for one in use, as long as there is one")
    func afterFailedOpening() {
        var state = state(capacity: 3)
        _ = state.lease(state.takeTicket(), now: start)
        state.opened(host: 0)
        _ = state.lease(state.takeTicket(), now: start)
        #expect(state.mayServe(now: start))
        let other = state.takeTicket()
        let isNews = state.openFailed(.noSession(SQLState("53300"), "too many"), now: start, jitter: 1)
        #expect(isNews)
        #expect(state.mayServe(now: start))
        let again = state.takeTicket(first: true)
        #expect(state.lease(other, now: start).isWait)
        #expect(state.giveBack("a", openedAt: start, condition: .good, now: start).isEmpty)
        #expect(state.lease(other, now: start).isWait)
        #expect(state.lease(again, now: start).connection == "a")
        let failure = state.timeOut(other)
        #expect(failure.cause == .connectionLimit)
        #expect(state.failedOpenings == [.connectionLimit: 1])
        state.discard(now: start)
        #expect(!state.mayServe(now: start + .seconds(1)))
    }

    @Test("A connection that has reached its age is replaced")
    func age() {
        var state = state(capacity: 2)
        _ = state.lease(state.takeTicket(), now: start)
        _ = state.lease(state.takeTicket(), now: start)
        let later = start + .seconds(60)
        #expect(state.giveBack("old", openedAt: start, condition: .good, now: later) == ["old"])
        #expect(state.giveBack("young", openedAt: start + .seconds(1), condition: .good, now: later).isEmpty)
        #expect(state.expire(now: later).isEmpty)
        #expect(state.expire(now: later + .seconds(1)) == ["young"])
        #expect(state.idleCount == 0)
    }
}

extension PoolState.Lease {
    var isOpen: Bool { if case .open = self { true } else { false } }
    var isWait: Bool { if case .wait = self { true } else { false } }
    var connection: Connection? { if case .use(let connection) = self { connection } else { nil } }
}

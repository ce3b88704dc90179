import Testing

@testable import PostgreSQL

@Suite("The pool's state")
struct PoolStateTests {
    private let start = ContinuousClock.now
    private func state(capacity: Int = 2) -> PoolState<String> {
        PoolState(capacity: capacity, maximumAge: .seconds(60))
    }

    @Test("opens up to its capacity and then makes callers wait")
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
        "leaves room for a session beside the idle ones where there is some, and for those who wait where there is not")
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

    @Test("serves waiters in the order in which they came")
    func fairness() {
        var state = state(capacity: 1)
        let holder = state.takeTicket()
        _ = state.lease(holder, now: start)
        let (first, second) = (state.takeTicket(), state.takeTicket())
        _ = state.giveBack("a", openedAt: start, condition: .good, now: start)
        #expect(state.lease(second, now: start).isWait)
        #expect(state.lease(first, now: start).connection == "a")
    }

    @Test("lets the next waiter on when the one before gives up")
    func givingUp() {
        var state = state(capacity: 1)
        let holder = state.takeTicket()
        _ = state.lease(holder, now: start)
        let (first, second) = (state.takeTicket(), state.takeTicket())
        state.timeOut(first)
        #expect(state.timeouts == 1)
        _ = state.giveBack("a", openedAt: start, condition: .good, now: start)
        #expect(state.lease(second, now: start).connection == "a")
    }

    @Test("never keeps a connection that is not clean, and opens another in its place")
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

    @Test("replaces the idle connections too after one broke")
    func suspicion() {
        var state = state()
        for _ in 0..<2 { _ = state.lease(state.takeTicket(), now: start) }
        #expect(state.giveBack("a", openedAt: start, condition: .good, now: start).isEmpty)
        #expect(state.giveBack("b", openedAt: start, condition: .broken, now: start) == ["b", "a"])
        #expect(state.idleCount == 0)
        #expect(state.leased == 0)
    }

    @Test("closes a connection that takes no writes, and replaces the idle ones that are not new")
    func readOnly() {
        var state = state(capacity: 3)
        for _ in 0..<3 { _ = state.lease(state.takeTicket(), now: start) }
        let now = start + .seconds(2)
        #expect(state.giveBack("old", openedAt: start, condition: .good, now: now).isEmpty)
        #expect(state.giveBack("new", openedAt: start + .milliseconds(1500), condition: .good, now: now).isEmpty)
        #expect(state.giveBack("a", openedAt: start, condition: .readOnly, now: now) == ["a", "old"])
        #expect((state.leased, state.idleCount) == (0, 1))
    }

    @Test("replaces every connection that was opened before settings changed")
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

    @Test("lets whoever could not open a connection wait before the others for one in use, as long as there is one")
    func living() {
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

    @Test("replaces a connection that has reached its age")
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

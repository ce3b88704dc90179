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
        #expect(state.giveBack("a", openedAt: start, reusable: true, now: start).isEmpty)
        #expect(state.lease(third, now: start).connection == "a")
        #expect(state.leased == 2)
        #expect(state.waiting == 0)
    }

    @Test("leaves room for a session beside the idle ones where there is some, and for those who wait where there is not")
    func reserving() {
        var state = state()
        let ticket = state.takeTicket()
        _ = state.lease(ticket, now: start)
        state.opened(host: 1)
        _ = state.giveBack("a", openedAt: start, reusable: true, now: start)
        #expect(state.reserve() == 1)
        state.opened(host: 1)
        #expect(state.reserve() == nil)
        state.discard()
        #expect((state.leased, state.idleCount) == (0, 1))
        let waiting = state.takeTicket()
        #expect(state.reserve() == nil)
        #expect(state.lease(waiting, now: start).connection == "a")
        #expect(state.reserve() == 1)
        state.openFailed("away", now: start, jitter: 0)
        #expect(state.reserve() == nil)
    }

    @Test("serves waiters in the order in which they came")
    func fairness() {
        var state = state(capacity: 1)
        let holder = state.takeTicket()
        _ = state.lease(holder, now: start)
        let (first, second) = (state.takeTicket(), state.takeTicket())
        _ = state.giveBack("a", openedAt: start, reusable: true, now: start)
        #expect(state.lease(second, now: start).isWait)
        #expect(state.lease(first, now: start).connection == "a")
    }

    @Test("lets the next waiter on when the one before gives up")
    func givingUp() {
        var state = state(capacity: 1)
        let holder = state.takeTicket()
        _ = state.lease(holder, now: start)
        let (first, second) = (state.takeTicket(), state.takeTicket())
        state.giveUp(first)
        #expect(state.timeouts == 1)
        _ = state.giveBack("a", openedAt: start, reusable: true, now: start)
        #expect(state.lease(second, now: start).connection == "a")
    }

    @Test("never keeps a connection that is not clean, and opens another in its place")
    func unclean() {
        var state = state(capacity: 1)
        _ = state.lease(state.takeTicket(), now: start)
        #expect(state.giveBack("a", openedAt: start, reusable: false, now: start) == ["a"])
        #expect(state.idleCount == 0)
        #expect(state.lease(state.takeTicket(), now: start).isOpen)
        state.discard()
        #expect(state.leased == 0)
        #expect(state.lease(state.takeTicket(), now: start).isOpen)
    }

    @Test("replaces the idle connections too after one broke")
    func suspicion() {
        var state = state()
        for _ in 0..<2 { _ = state.lease(state.takeTicket(), now: start) }
        #expect(state.giveBack("a", openedAt: start, reusable: true, now: start).isEmpty)
        #expect(state.giveBack("b", openedAt: start, reusable: false, now: start) == ["b", "a"])
        #expect(state.idleCount == 0)
        #expect(state.leased == 0)
    }

    @Test("replaces a connection that has reached its age")
    func age() {
        var state = state(capacity: 2)
        _ = state.lease(state.takeTicket(), now: start)
        _ = state.lease(state.takeTicket(), now: start)
        let later = start + .seconds(60)
        #expect(state.giveBack("old", openedAt: start, reusable: true, now: later) == ["old"])
        #expect(state.giveBack("young", openedAt: start + .seconds(1), reusable: true, now: later).isEmpty)
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

import Testing
import Threads

@testable import Delivery

@Suite("The pool of workers")
struct WorkerPoolTests {
    @Test("A job that waits leaves the other threads to others, and a stop lets it finish")
    func slowJob() throws {
        let (pool, state) = (WorkerPool(), Monitor((isReleased: false, done: 0)))
        try pool.start(threads: 2, for: "a test") { state.withLock { $0.done += 1 } }
        let deadline = ContinuousClock.now + .seconds(30)
        while pool.idle < 2, .now < deadline { Thread.sleep(.milliseconds(1)) }
        pool.run { _ = state.wait(until: deadline) { $0.isReleased ? true : nil } }
        pool.run {}
        while state.withLock({ $0.done }) < 1, .now < deadline { Thread.sleep(.milliseconds(1)) }
        #expect(state.withLock { $0.done } == 1)
        pool.stop()
        #expect(pool.idle == 0)
        #expect(!pool.waitUntilEnded(.now + .milliseconds(50)))
        state.withLock { $0.isReleased = true }
        state.notifyAll()
        #expect(pool.waitUntilEnded(deadline))
        #expect(state.withLock { $0.done } == 2)
    }
}

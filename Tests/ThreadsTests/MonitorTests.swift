import Testing
import Threads

@Suite("A monitor")
struct MonitorTests {
    @Test("wakes a waiter when the value it waits for is there")
    func wakes() throws {
        let monitor = Monitor(0)
        let thread = try Thread.start {
            for _ in 0..<3 {
                monitor.withLock { $0 += 1 }
                monitor.notifyAll()
            }
        }
        let value = monitor.wait(until: .now + .seconds(30)) { $0 == 3 ? $0 : nil }
        thread.join()
        #expect(value == 3)
    }

    @Test("gives up at the deadline, and at once where it has passed")
    func deadline() {
        let monitor = Monitor(0)
        #expect(monitor.wait(until: .now - .seconds(1)) { _ in nil as Int? } == nil)
        #expect(monitor.wait(until: .now + .milliseconds(20)) { _ in nil as Int? } == nil)
    }

    @Test("keeps two threads from losing each other's changes")
    func exclusion() throws {
        let monitor = Monitor(0)
        let threads = try (0..<4).map { _ in
            try Thread.start {
                for _ in 0..<10_000 { monitor.withLock { $0 += 1 } }
            }
        }
        for thread in threads { thread.join() }
        #expect(monitor.withLock { $0 } == 40_000)
    }
}

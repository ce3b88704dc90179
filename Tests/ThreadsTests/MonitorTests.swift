import Testing
import Threads

@Suite("The monitor")
struct MonitorTests {
    @Test("A waiting thread wakes up when the value fulfils its condition")
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

    @Test("A wait ends at its deadline, and at once if the deadline has passed")
    func deadline() {
        let monitor = Monitor(0)
        #expect(monitor.wait(until: .now - .seconds(1)) { _ in nil as Int? } == nil)
        #expect(monitor.wait(until: .now + .milliseconds(20)) { _ in nil as Int? } == nil)
    }

    @Test("Concurrent changes are not lost")
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

import Synchronization
import Testing
import Threads

@Suite("The thread loop")
struct ThreadLoopTests {
    private let loop = ThreadLoop()
    private let runs = Monitor(0)

    private func count() {
        runs.withLock { $0 += 1 }
        runs.notifyAll()
    }

    /// Waits until the work has run this many times.
    private func awaitRuns(_ count: Int) -> Bool {
        runs.wait(until: .now + .seconds(30)) { $0 >= count ? true : nil } ?? false
    }

    private func hasEnded() -> Bool { loop.waitUntilEnded(.now + .seconds(30)) }

    @Test("The work runs at once, and again after each pause")
    func pauses() throws {
        try loop.start(for: "a test") { [self] in
            count()
            return .after(.milliseconds(1))
        }
        #expect(awaitRuns(3))
        loop.stop()
        #expect(hasEnded())
    }

    @Test("The first run can wait for a wake")
    func first() throws {
        try loop.start(for: "a test", first: .whenWoken) { [self] in
            count()
            return .whenWoken
        }
        #expect(!loop.waitUntilEnded(.now + .milliseconds(20)))
        #expect(runs.withLock { $0 } == 0)
        loop.wake()
        #expect(awaitRuns(1))
        loop.stop()
        #expect(hasEnded())
    }

    @Test("A stop ends a pause of any length")
    func stoppedInPause() throws {
        try loop.start(for: "a test") { [self] in
            count()
            return .after(.seconds(3600))
        }
        #expect(awaitRuns(1))
        loop.stop()
        #expect(hasEnded() && loop.isStopped)
    }

    @Test("A wake during a run causes another run, even if a stop follows")
    func wokenDuringRun() throws {
        try loop.start(for: "a test") { [self] in
            count()
            if runs.withLock({ $0 }) == 1 {
                loop.wake()
                loop.stop()
            }
            return .whenWoken
        }
        #expect(hasEnded())
        #expect(runs.withLock { $0 } == 2)
    }

    @Test("The loop ends if its work has no next run")
    func never() throws {
        try loop.start(for: "a test") { [self] in
            count()
            return .never
        }
        #expect(hasEnded())
        loop.join()
        #expect(runs.withLock { $0 } == 1 && !loop.isStopped)
    }

    @Test("A stop and a wake end a pause within the work")
    func pauseWithinWork() throws {
        let results = Monitor<[Bool]>([])
        try loop.start(for: "a test") { [self] in
            count()
            let isRunning = loop.pause(.seconds(3600))
            results.withLock { $0.append(isRunning) }
            results.notifyAll()
            return .after(.zero)
        }
        #expect(awaitRuns(1))
        loop.wake()
        #expect(awaitRuns(2))
        loop.stop()
        #expect(hasEnded())
        #expect(results.withLock { $0 } == [true, false])
    }
}

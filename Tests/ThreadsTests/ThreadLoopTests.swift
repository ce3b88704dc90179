import Synchronization
import Testing
import Threads

@Suite("A thread loop")
struct ThreadLoopTests {
    private let loop = ThreadLoop()
    private let runs = Monitor(0)

    private func count() {
        runs.withLock { $0 += 1 }
        runs.notifyAll()
    }

    /// Waits until the work has run so many times.
    private func awaitRuns(_ count: Int) -> Bool {
        runs.wait(until: .now + .seconds(30)) { $0 >= count ? true : nil } ?? false
    }

    private func hasEnded() -> Bool { loop.waitUntilEnded(.now + .seconds(30)) }

    @Test("runs its work at once, and again after each pause")
    func pauses() throws {
        try loop.start(for: "a test") { [self] in
            count()
            return .after(.milliseconds(1))
        }
        #expect(awaitRuns(3))
        loop.stop()
        #expect(hasEnded())
    }

    @Test("waits for its first run")
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

    @Test("is stopped during a pause, whatever its length")
    func stoppedInPause() throws {
        try loop.start(for: "a test") { [self] in
            count()
            return .after(.seconds(3600))
        }
        #expect(awaitRuns(1))
        loop.stop()
        #expect(hasEnded() && loop.isStopped)
    }

    @Test("runs once more for a wake during a run, also where a stop follows")
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

    @Test("ends by itself where its work has no next run")
    func never() throws {
        try loop.start(for: "a test") { [self] in
            count()
            return .never
        }
        #expect(hasEnded())
        loop.join()
        #expect(runs.withLock { $0 } == 1 && !loop.isStopped)
    }

    @Test("ends a pause within its work at a stop and at a wake")
    func pauseWithinWork() throws {
        let goesOn = Monitor<[Bool]>([])
        try loop.start(for: "a test") { [self] in
            count()
            let isRunning = loop.pause(.seconds(3600))
            goesOn.withLock { $0.append(isRunning) }
            goesOn.notifyAll()
            return .after(.zero)
        }
        #expect(awaitRuns(1))
        loop.wake()
        #expect(awaitRuns(2))
        loop.stop()
        #expect(hasEnded())
        #expect(goesOn.withLock { $0 } == [true, false])
    }
}

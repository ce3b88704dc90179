import Glibc
import Synchronization
public import Threads

/// Writes log lines to standard output, whole and in their order, on a thread of its own.
///
/// No request waits for the log's reader. A log that cannot be written, because its disk is full or its reader is gone
/// or stuck, never stops the service: lines are lost then and counted, and standard error reports it once.
public final class LogSink: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var lines = 0
        var isWriting = false
        /// Whether the thread waits for a line and has to be woken.
        var isAsleep = true
    }

    /// Lines of some seconds under full load.
    private static let mostPending = 1 << 20
    /// How long lines are collected, so that the thread is woken once for many of them.
    private static let gathering = Duration.milliseconds(20)

    private let writer: LogWriter
    private let state = Monitor(State())
    private let loop = ThreadLoop()
    private let lost = Atomic<Int>(0)

    /// - Parameter descriptor: standard output, except in tests.
    public init(descriptor: CInt = 1) { writer = LogWriter(descriptor: descriptor) }

    /// Lines that could not be written, since the start.
    var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Starts the thread; earlier lines wait for it.
    public func start() throws(Thread.StartError) {
        // A reader that is gone shows as an error of the write.
        signal(SIGPIPE, SIG_IGN)
        try loop.start(for: "the log") { [self] in
            while let batch = nextBatch() { write(batch) }
            return .whenWoken
        }
    }

    /// Appends `line`, which ends with a line feed.
    func write(_ line: [UInt8]) {
        let (isTaken, wakes) = state.withLock { state in
            guard state.pending.count + line.count <= Self.mostPending else { return (false, false) }
            state.pending += line
            state.lines += 1
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
        if !isTaken { lost.add(1, ordering: .relaxed) }
        if wakes { loop.wake() }
    }

    /// Waits until all earlier lines have been written; false where that took too long.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        state.wait(until: .now + limit) { $0.pending.isEmpty && !$0.isWriting ? true : nil } ?? false
    }

    /// Ends the thread after the earlier lines, if they can be written in time.
    public func stop(within limit: Duration) {
        loop.stop()
        flush(within: limit)
    }

    private typealias Batch = (bytes: [UInt8], lines: Int)

    /// The lines that have been collected; nil if there are none.
    private func nextBatch() -> Batch? {
        let isEmpty = state.withLock { state in
            state.isAsleep = state.pending.isEmpty
            return state.isAsleep
        }
        guard !isEmpty else { return nil }
        loop.pause(Self.gathering)
        return state.withLock { state in
            defer { (state.pending, state.lines, state.isWriting) = ([], 0, true) }
            return (state.pending, state.lines)
        }
    }

    private func write(_ batch: Batch) {
        let lines = writer.write(batch.bytes) { loop.isStopped }
        lost.add(batch.lines - lines, ordering: .relaxed)
        state.withLock { $0.isWriting = false }
        state.notifyAll()
    }
}

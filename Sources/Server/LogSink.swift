import Glibc
import Synchronization
public import Threads

/// Writes log lines to standard output, whole and in order, on its own thread.
///
/// No request waits for the log's reader, and a log that cannot be written never stops the service. If its disk is
/// full, or its reader has ended or does not read, lines are dropped and counted, and standard error has one message.
public final class LogSink: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var lines = 0
        var isWriting = false
        /// True if the thread waits for lines and has to be woken.
        var isAsleep = true
    }

    /// The maximum bytes of waiting lines: some seconds under full load.
    private static let mostPending = 1 << 20
    /// How long lines are collected, so that one wake-up writes many of them.
    private static let gathering = Duration.milliseconds(20)

    private let writer: LogWriter
    private let state = Monitor(State())
    private let loop = ThreadLoop()
    private let lost = Atomic<Int>(0)

    /// - Parameter descriptor: standard output, except in tests.
    public init(descriptor: CInt = 1) { writer = LogWriter(descriptor: descriptor) }

    /// The number of lines that could not be written since the start.
    var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Starts the thread. Lines that were logged before wait for it.
    public func start() throws(Thread.StartError) {
        // If the reader has closed the pipe, the write fails with EPIPE instead.
        signal(SIGPIPE, SIG_IGN)
        try loop.start(for: "the log") { [self] in
            while let batch = nextBatch() { write(batch) }
            return .whenWoken
        }
    }

    /// Queues `line`, which must end with a line feed.
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

    /// Waits until all earlier lines are written. False if that takes longer than `limit`.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        state.wait(until: .now + limit) { $0.pending.isEmpty && !$0.isWriting ? true : nil } ?? false
    }

    /// Ends the thread, after it has written the earlier lines if `limit` allows it.
    public func stop(within limit: Duration) {
        loop.stop()
        flush(within: limit)
    }

    private typealias Batch = (bytes: [UInt8], lines: Int)

    /// The collected lines. Nil if there are none.
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

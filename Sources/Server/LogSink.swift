import Glibc
import Synchronization
public import Threads

/// Where log lines go: standard output, whole lines in their order, written by a thread of their own.
///
/// No request waits for whoever reads the log. A log that cannot be written, because its disk is full or its
/// reader gone or stuck, never stops the service: lines are lost then, counted, and standard error says so once.
public final class LogSink: Sendable {
    private struct State {
        var pending: [UInt8] = []
        var lines = 0
        var isWriting = false
        /// Whether the thread waits for a line and has to be woken.
        var isAsleep = false
        var isStopped = false
    }

    /// Lines of some seconds under full load.
    private static let mostPending = 1 << 20
    /// How long lines gather, so that the thread is woken for many of them at once.
    private static let gathering = Duration.milliseconds(20)

    private let writer: LogWriter
    private let state = Monitor(State())
    private let lost = Atomic<Int>(0)

    /// - Parameter descriptor: standard output, unless a test looks at the lines itself.
    public init(descriptor: CInt = 1) { writer = LogWriter(descriptor: descriptor) }

    /// Lines that could not be written, since the start.
    var lostLines: Int { lost.load(ordering: .relaxed) }

    /// Starts the thread; what was written before waits for it.
    public func start() throws(Thread.StartError) {
        // A reader that has gone shows as an error of the write.
        signal(SIGPIPE, SIG_IGN)
        try Thread.start { [self] in
            while let batch = nextBatch() {
                let lines = writer.write(batch.bytes) { self.isStopped }
                lost.add(batch.lines - lines, ordering: .relaxed)
                state.withLock { $0.isWriting = false }
                state.notifyAll()
            }
        }.detach()
    }

    /// Puts `line`, which ends with a line feed, behind the others.
    func write(_ line: [UInt8]) {
        let (isTaken, wakes) = state.withLock { state in
            guard state.pending.count + line.count <= Self.mostPending else { return (false, false) }
            state.pending += line
            state.lines += 1
            defer { state.isAsleep = false }
            return (true, state.isAsleep)
        }
        if !isTaken { lost.add(1, ordering: .relaxed) }
        if wakes { state.notifyAll() }
    }

    /// Waits until everything so far has been written; false where that took too long.
    @discardableResult
    public func flush(within limit: Duration) -> Bool {
        state.wait(until: .now + limit) { $0.pending.isEmpty && !$0.isWriting ? true : nil } ?? false
    }

    /// Ends the thread after what it has, if that can be written in time.
    public func stop(within limit: Duration) {
        state.withLock { $0.isStopped = true }
        state.notifyAll()
        flush(within: limit)
    }

    private var isStopped: Bool { state.withLock { $0.isStopped } }

    /// Waits for lines; nil once stopped and none is left.
    private func nextBatch() -> (bytes: [UInt8], lines: Int)? {
        let isOver = state.wait(until: .now + .seconds(86_400 * 365)) { state -> Bool? in
            if !state.pending.isEmpty { return false }
            state.isAsleep = true
            return state.isStopped ? true : nil
        }
        guard isOver == false else { return nil }
        if !isStopped { Thread.sleep(Self.gathering) }
        return state.withLock { state in
            defer { (state.pending, state.lines, state.isWriting) = ([], 0, true) }
            return (state.pending, state.lines)
        }
    }
}

/// Writes lines to a descriptor that may fail or not take them, and says so once each time.
// @unchecked: the log's one thread alone calls it.
private final class LogWriter: @unchecked Sendable {
    private let descriptor: CInt
    private var hasFailed = false
    /// Whether the last line written is not whole.
    private var isTorn = false

    /// POSIX's least `PIPE_BUF` is smaller, Linux has this: so much goes into a pipe in one piece, so that two
    /// servers may share one, and into a pipe that is ready for it without waiting.
    private static let pieceSize = 4096
    /// How long a reader may not read before that is said.
    private static let patience: CInt = 500

    init(descriptor: CInt) { self.descriptor = descriptor }

    /// Writes whole lines; returns how many of them could be written.
    ///
    /// - Parameter givesUp: asked whether to wait no longer where the reader does not read.
    func write(_ bytes: [UInt8], givesUp: () -> Bool) -> Int {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            var lines = 0
            while !rest.isEmpty {
                let piece = Self.wholeLines(rest)
                rest = rest[piece.endIndex...]
                guard waitForReader(givesUp) else { break }
                if write(piece, givesUp) { lines += Self.lines(piece) }
            }
            return lines
        }
    }

    /// As many lines as are written at once: at least one.
    private static func wholeLines(_ rest: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        let isEnd = { (byte: UInt8) in byte == UInt8(ascii: "\n") }
        let end = rest.prefix(pieceSize).lastIndex(where: isEnd) ?? rest.firstIndex(where: isEnd) ?? rest.endIndex - 1
        return rest[...end]
    }

    /// Counts without a branch, so that the compiler takes many bytes at once.
    private static func lines(_ piece: Slice<UnsafeRawBufferPointer>) -> Int {
        UnsafeRawBufferPointer(rebasing: piece).reduce(0) { $0 &+ ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    }

    private func waitForReader(_ givesUp: () -> Bool) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while poll(&state, 1, Self.patience) == 0 {
            tell("nobody reads it")
            if givesUp() { return false }
        }
        return true
    }

    private func write(_ piece: Slice<UnsafeRawBufferPointer>, _ givesUp: () -> Bool) -> Bool {
        // What is left of a line ends here, so that the next one is whole.
        if isTorn { isTorn = Glibc.write(descriptor, "\n", 1) != 1 }
        var rest = piece
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                let code = errno
                if code == EINTR || code == EAGAIN && waitForReader(givesUp) { continue }
                tell(String(cString: strerror(code)))
                isTorn = isTorn || rest.count < piece.count
                return false
            }
        }
        if hasFailed { tellRecovery() }
        return true
    }

    private func tell(_ reason: String) {
        guard !hasFailed else { return }
        hasFailed = true
        complain("the log cannot be written, and lines may be lost: \(reason)")
    }

    private func tellRecovery() {
        hasFailed = false
        complain("the log can be written again")
    }

    /// Standard error may be the same that nobody reads: then nobody is told.
    private func complain(_ text: String) {
        var state = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&state, 1, 0) == 1 else { return }
        let bytes = Array("reengagement-api: \(text)\n".utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}

import Glibc

/// Writes lines to a descriptor that may fail or be full, and reports each such time once on standard error.
// @unchecked: only the log's one thread calls it.
final class LogWriter: @unchecked Sendable {
    private let descriptor: CInt
    private var hasFailed = false
    /// Whether the last line written is not whole.
    private var isTorn = false

    /// `PIPE_BUF` of Linux: a write of that size to a pipe is atomic, so two servers may share one, and does not block
    /// on a pipe that `poll` reports as ready.
    private static let pieceSize = 4096
    /// Milliseconds that a reader may not read before that is reported.
    private static let readerTimeout: CInt = 500

    init(descriptor: CInt) { self.descriptor = descriptor }

    /// Writes whole lines; returns how many of them could be written.
    ///
    /// - Parameter stopsWaiting: whether to drop the rest while the reader does not read.
    func write(_ bytes: [UInt8], stopsWaiting: () -> Bool) -> Int {
        bytes.withUnsafeBytes { buffer in
            var rest = buffer[...]
            var lines = 0
            while !rest.isEmpty {
                let piece = Self.wholeLines(rest)
                rest = rest[piece.endIndex...]
                guard waitForReader(stopsWaiting) else { break }
                if write(piece, stopsWaiting) { lines += Self.lines(piece) }
            }
            return lines
        }
    }

    /// The lines of the next write: at least one.
    private static func wholeLines(_ rest: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        let isEnd = { (byte: UInt8) in byte == UInt8(ascii: "\n") }
        let end = rest.prefix(pieceSize).lastIndex(where: isEnd) ?? rest.firstIndex(where: isEnd) ?? rest.endIndex - 1
        return rest[...end]
    }

    /// Counts without a branch, so that the compiler takes many bytes at once.
    private static func lines(_ piece: Slice<UnsafeRawBufferPointer>) -> Int {
        UnsafeRawBufferPointer(rebasing: piece).reduce(0) { $0 &+ ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    }

    private func waitForReader(_ stopsWaiting: () -> Bool) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while poll(&state, 1, Self.readerTimeout) == 0 {
            report("nobody reads it")
            if stopsWaiting() { return false }
        }
        return true
    }

    private func write(_ piece: Slice<UnsafeRawBufferPointer>, _ stopsWaiting: () -> Bool) -> Bool {
        // Ends the torn line, so that the next one is whole.
        if isTorn { isTorn = Glibc.write(descriptor, "\n", 1) != 1 }
        var rest = piece
        while !rest.isEmpty {
            let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
            if count > 0 {
                rest = rest.dropFirst(count)
            } else {
                let code = errno
                if code == EINTR || code == EAGAIN && waitForReader(stopsWaiting) { continue }
                report(String(cString: strerror(code)))
                isTorn = isTorn || rest.count < piece.count
                return false
            }
        }
        if hasFailed { reportRecovery() }
        return true
    }

    private func report(_ reason: String) {
        guard !hasFailed else { return }
        hasFailed = true
        complain("the log cannot be written, and lines may be lost: \(reason)")
    }

    private func reportRecovery() {
        hasFailed = false
        complain("the log can be written again")
    }

    /// Drops the text where standard error is full, as it may be the same pipe.
    private func complain(_ text: String) {
        var state = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&state, 1, 0) == 1 else { return }
        let bytes = Array("reengagement-api: \(text)\n".utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}

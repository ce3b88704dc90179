import Glibc

/// Writes lines to a descriptor. Each failure or stall is reported once on standard error.
// @unchecked: only the log's thread uses it.
final class LogWriter: @unchecked Sendable {
    private let descriptor: CInt
    private var hasFailed = false
    /// True if the last line was written only in part.
    private var isTorn = false

    /// `PIPE_BUF` of Linux. A write of at most this size to a pipe is atomic, so two servers may share a pipe. It does
    /// not block either if `poll` reports the pipe as writable.
    private static let pieceSize = 4096
    /// The milliseconds without reading after which the reader is reported.
    private static let readerTimeout: CInt = 500

    init(descriptor: CInt) { self.descriptor = descriptor }

    /// Writes whole lines, and returns the number of lines that were written.
    ///
    /// - Parameter stopsWaiting: whether to drop the rest if the reader does not read.
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

    /// The whole lines that fit in one write. At least one line.
    private static func wholeLines(_ rest: Slice<UnsafeRawBufferPointer>) -> Slice<UnsafeRawBufferPointer> {
        let isEnd = { (byte: UInt8) in byte == UInt8(ascii: "\n") }
        let end = rest.prefix(pieceSize).lastIndex(where: isEnd) ?? rest.firstIndex(where: isEnd) ?? rest.endIndex - 1
        return rest[...end]
    }

    /// Counts the lines without a branch, so that the compiler can use vector instructions.
    private static func lines(_ piece: Slice<UnsafeRawBufferPointer>) -> Int {
        UnsafeRawBufferPointer(rebasing: piece).reduce(0) { $0 &+ ($1 == UInt8(ascii: "\n") ? 1 : 0) }
    }

    private func waitForReader(_ stopsWaiting: () -> Bool) -> Bool {
        var state = pollfd(fd: descriptor, events: Int16(POLLOUT), revents: 0)
        while poll(&state, 1, Self.readerTimeout) == 0 {
            report("no process reads it")
            if stopsWaiting() { return false }
        }
        return true
    }

    private func write(_ piece: Slice<UnsafeRawBufferPointer>, _ stopsWaiting: () -> Bool) -> Bool {
        // Ends a partial line, so that the next one begins on its own line.
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

    /// Writes to standard error. The text is dropped if that is full, because it may be the same pipe as the log.
    private func complain(_ text: String) {
        var state = pollfd(fd: STDERR_FILENO, events: Int16(POLLOUT), revents: 0)
        guard poll(&state, 1, 0) == 1 else { return }
        let bytes = Array("reengagement-api: \(text)\n".utf8)
        _ = Glibc.write(STDERR_FILENO, bytes, bytes.count)
    }
}

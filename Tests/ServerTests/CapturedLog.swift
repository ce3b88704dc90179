import Foundation
import Server

/// A log sink whose lines can be read.
final class CapturedLog: Sendable {
    let sink: LogSink
    private let reading: CInt
    private let writing: CInt

    init() {
        var ends: [CInt] = [-1, -1]
        // A socket, since Glibc's module has no `pipe2`; no child may keep an end open.
        socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
        (reading, writing) = (ends[0], ends[1])
        sink = LogSink(descriptor: writing)
        // Without its thread every test of what it writes fails.
        try? sink.start()
    }

    deinit {
        sink.stop(within: .seconds(30))
        close(reading)
        close(writing)
    }

    /// Everything that was written since the last time.
    func text() -> String {
        var text: [UInt8] = []
        var isWritten = false
        let deadline = ContinuousClock.now + .seconds(30)
        // More than the socket takes may be under way.
        while !isWritten, .now < deadline {
            isWritten = sink.flush(within: .milliseconds(10))
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = recv(reading, &bytes, bytes.count, CInt(MSG_DONTWAIT))
            text += bytes.prefix(max(0, count))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The same as JSON objects, one a line.
    func objects() throws -> [[String: Any]] {
        try text().split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
    }
}

import Foundation
import Server

/// A log sink with readable output.
final class CapturedLog: Sendable {
    let sink: LogSink
    private let reading: CInt
    private let writing: CInt

    init() {
        var ends: [CInt] = [-1, -1]
        // A socket is used, since Glibc's module has no `pipe2`, and no child may inherit an end.
        socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends)
        (reading, writing) = (ends[0], ends[1])
        sink = LogSink(descriptor: writing)
        // If the thread does not start, every test of the output fails.
        try? sink.start()
    }

    deinit {
        sink.stop(within: .seconds(30))
        close(reading)
        close(writing)
    }

    /// The text written since the last call.
    func text() -> String {
        var text: [UInt8] = []
        var isWritten = false
        let deadline = ContinuousClock.now + .seconds(30)
        // There may be more text than the socket can buffer.
        while !isWritten, .now < deadline {
            isWritten = sink.flush(within: .milliseconds(10))
            var bytes = [UInt8](repeating: 0, count: 1 << 20)
            let count = recv(reading, &bytes, bytes.count, CInt(MSG_DONTWAIT))
            text += bytes.prefix(max(0, count))
        }
        return String(decoding: text, as: UTF8.self)
    }

    /// The same as JSON objects, one per line.
    func objects() throws -> [[String: Any]] {
        try text().split(separator: "\n").map { line in
            try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any] ?? [:]
        }
    }
}

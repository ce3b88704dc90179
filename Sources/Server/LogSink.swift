import Glibc
import JSON
import Threads

/// How a log line looks.
public enum LogFormat: String, CaseIterable, Sendable {
    case json
    case text
}

/// Where log lines go: standard output, a whole line at a time.
///
/// A log that cannot be written, because its disk is full or its reader gone, never stops the service.
public final class LogSink: Sendable {
    private let descriptor: CInt
    private let lock = Monitor(())

    /// - Parameter descriptor: standard output, unless a test looks at the lines itself.
    public init(descriptor: CInt = 1) { self.descriptor = descriptor }

    /// Writes `line`, which ends with a line feed.
    func write(_ line: [UInt8]) {
        lock.withLock { _ in
            line.withUnsafeBytes { buffer in
                var rest = buffer[...]
                while !rest.isEmpty {
                    let count = Glibc.write(descriptor, UnsafeRawBufferPointer(rebasing: rest).baseAddress, rest.count)
                    if count > 0 { rest = rest.dropFirst(count) } else if errno != EINTR { return }
                }
            }
        }
    }
}

/// One log line in the making, in either format.
struct LogLine {
    private let format: LogFormat
    private var json = JSONWriter(capacity: 512)
    private var text: [UInt8] = []

    /// - Parameter time: wall-clock seconds since 1970.
    static func bytes(
        _ format: LogFormat, time: Double, level: String, message: String, _ body: (inout LogLine) -> Void
    ) -> [UInt8] {
        var line = LogLine(format: format)
        switch format {
        case .json:
            line.json.object { writer in
                writer.member("time", string: timestamp(time))
                writer.member("level", string: level)
                writer.member("message", string: message)
                var inner = LogLine(format: format)
                inner.json = writer
                body(&inner)
                writer = inner.json
            }
            return line.json.bytes + [UInt8(ascii: "\n")]
        case .text:
            line.text = Array("\(timestamp(time)) \(level) \(escaped(message))".utf8)
            body(&line)
            return line.text + [UInt8(ascii: "\n")]
        }
    }

    mutating func add(_ name: String, _ value: String) {
        switch format {
        case .json:
            json.name(escaping: name)
            json.string(value)
        case .text: text += " \(name)=\(Self.quoted(value))".utf8
        }
    }

    mutating func add(_ name: String, _ value: Int) {
        switch format {
        case .json:
            json.name(escaping: name)
            json.number(value)
        case .text: text += " \(name)=\(value)".utf8
        }
    }

    /// A value cannot pass for another field.
    private static func quoted(_ value: String) -> String {
        let isPlain = value.unicodeScalars.allSatisfy { $0.value > 0x20 && $0.value != 0x7F && $0 != "\"" && $0 != "=" }
        return isPlain && !value.isEmpty ? value : value.debugDescription
    }

    /// A line stays a line, whatever a message holds.
    private static func escaped(_ value: String) -> String {
        value.unicodeScalars.contains { $0.value < 0x20 || $0.value == 0x7F } ? value.debugDescription : value
    }
}

/// RFC 3339 in UTC with milliseconds.
func timestamp(_ time: Double) -> String {
    var seconds = time_t(time.rounded(.down))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let milliseconds = Int((time - time.rounded(.down)) * 1000)
    func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
    let date = "\(padded(Int(parts.tm_year) + 1900, 4))-\(padded(Int(parts.tm_mon) + 1, 2))-\(padded(Int(parts.tm_mday), 2))"
    let clock = "\(padded(Int(parts.tm_hour), 2)):\(padded(Int(parts.tm_min), 2)):\(padded(Int(parts.tm_sec), 2))"
    return "\(date)T\(clock).\(padded(milliseconds, 3))Z"
}

/// The machine's clock, in seconds since 1970: for tokens and log lines, never for the clinic's days.
func wallClock() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}

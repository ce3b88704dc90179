import Glibc
import JSON

/// The format of log lines.
public enum LogFormat: String, CaseIterable, Sendable {
    case json
    case text
}

/// Builds one log line in either format.
struct LogLine: ~Copyable {
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
            line.json.beginObject()
            line.json.member("time", string: timestamp(time))
            line.json.member("level", string: level)
            line.json.member("message", string: message)
            body(&line)
            line.json.endObject()
            return LogEscaping.line(line.json.bytes, LogEscaping.jsonEscape) + [UInt8(ascii: "\n")]
        case .text:
            line.text = Array("\(timestamp(time)) \(level) \(escaped(message))".utf8)
            body(&line)
            return LogEscaping.line(line.text, LogEscaping.textEscape) + [UInt8(ascii: "\n")]
        }
    }

    mutating func add(_ name: StaticString, _ value: String) {
        switch format {
        case .json: json.member(name, string: value)
        case .text: text += " \(name)=\(Self.quoted(value))".utf8
        }
    }

    mutating func add(_ name: StaticString, _ value: Int) {
        switch format {
        case .json: json.member(name, number: value)
        case .text: text += " \(name)=\(value)".utf8
        }
    }

    /// Adds a field whose name is not a constant.
    mutating func add(escaping name: String, _ value: String) {
        switch format {
        case .json:
            json.name(escaping: name)
            json.string(value)
        case .text: text += " \(name)=\(Self.quoted(value))".utf8
        }
    }

    /// Quotes a value that could otherwise look like another field.
    private static func quoted(_ value: String) -> String {
        let isPlain = value.unicodeScalars.allSatisfy {
            LogEscaping.isPrintable($0) && !$0.properties.isWhitespace && $0 != "\"" && $0 != "="
        }
        return isPlain && !value.isEmpty ? value : value.debugDescription
    }

    /// Escapes a message that would otherwise break the line.
    private static func escaped(_ value: String) -> String {
        value.unicodeScalars.allSatisfy(LogEscaping.isPrintable) ? value : value.debugDescription
    }
}

/// RFC 3339 in UTC with milliseconds.
func timestamp(_ time: Double) -> String {
    var seconds = time_t(time.rounded(.down))
    var parts = tm()
    gmtime_r(&seconds, &parts)
    let milliseconds = Int((time - time.rounded(.down)) * 1000)
    var text: [UInt8] = []
    text.reserveCapacity(24)
    func add(_ number: Int, _ width: Int, _ separator: Unicode.Scalar) {
        var divisor = width == 4 ? 1000 : width == 3 ? 100 : 10
        while divisor > 0 {
            text.append(UInt8(ascii: "0") + UInt8(number / divisor % 10))
            divisor /= 10
        }
        text.append(UInt8(ascii: separator))
    }
    add(Int(parts.tm_year) + 1900, 4, "-")
    add(Int(parts.tm_mon) + 1, 2, "-")
    add(Int(parts.tm_mday), 2, "T")
    add(Int(parts.tm_hour), 2, ":")
    add(Int(parts.tm_min), 2, ":")
    add(Int(parts.tm_sec), 2, ".")
    add(milliseconds, 3, "Z")
    return String(decoding: text, as: UTF8.self)
}

/// RFC 3339 in UTC, truncated to the second.
func secondsTimestamp(_ time: Double) -> String { timestamp(time).prefix(19) + "Z" }

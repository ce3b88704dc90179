import JSON

/// The counts of an organization's alerts.
public struct AlertCounts: Sendable, Equatable {
    public let critical: Int
    public let newToday: Int
    public let open: Int

    public init(critical: Int, newToday: Int, open: Int) {
        (self.critical, self.newToday, self.open) = (critical, newToday, open)
    }
}

/// A notice as a stream tells it, without the patient.
public struct Notice: Sendable, Equatable {
    public let sequence: Int
    public let kind: String
    public let cause: String
    public let day: String
    public let number: Int
    /// How long ago it was written, when it was read.
    public let age: Duration

    public init(sequence: Int, kind: String, cause: String, day: String, number: Int, age: Duration = .zero) {
        (self.sequence, self.kind, self.cause, self.day) = (sequence, kind, cause, day)
        (self.number, self.age) = (number, age)
    }
}

/// A message of a stream: one JSON object with a `type`.
enum Message {
    enum EndReason: String {
        case tokenExpired = "token_expired"
        case shuttingDown = "shutting_down"
        case tooSlow = "too_slow"
    }

    case hello(sequence: Int, AlertCounts)
    case notice(Notice)
    case heartbeat(sequence: Int, AlertCounts)
    case reset(sequence: Int)
    case bye(EndReason, retry: Duration)

    var json: [UInt8] {
        var writer = JSONWriter(capacity: 128)
        writer.object { writer in
            switch self {
            case .hello(let sequence, let counts): Self.write("hello", sequence, counts, &writer)
            case .heartbeat(let sequence, let counts): Self.write("heartbeat", sequence, counts, &writer)
            case .notice(let notice):
                writer.member("type", string: "notice")
                writer.member("sequence", number: notice.sequence)
                writer.member("kind", string: notice.kind)
                writer.member("cause", string: notice.cause)
                writer.member("day", string: notice.day)
                writer.member("number", number: notice.number)
            case .reset(let sequence):
                writer.member("type", string: "reset")
                writer.member("sequence", number: sequence)
            case .bye(let reason, let retry):
                writer.member("type", string: "bye")
                writer.member("reason", string: reason.rawValue)
                writer.member("retry_ms", number: Int(retry / .milliseconds(1)))
            }
        }
        return writer.bytes
    }

    /// The id in an event stream, which a client sends back as Last-Event-ID. Only a notice has one.
    var id: Int? { if case .notice(let notice) = self { notice.sequence } else { nil } }

    private static func write(
        _ type: StaticString, _ sequence: Int, _ counts: AlertCounts, _ writer: inout JSONWriter
    ) {
        writer.member("type", string: "\(type)")
        writer.member("sequence", number: sequence)
        writer.member("critical", number: counts.critical)
        writer.member("new_today", number: counts.newToday)
        writer.member("open", number: counts.open)
    }
}

import Foundation
import JWT
import Logging
import Testing

@testable import Server

@Suite("A line of the log")
struct LogLineTests {
    private static let nasty = [
        "plain", "", " ", "\"quoted\"", "back\\slash", "two\nlines", "\r\n", "tab\t", "\0\u{1}\u{1B}[31m\u{7F}",
        "Ōtaki 😀 e\u{301}",
        "\u{2028}\u{85}", "{\"a\":1}", "a=b status=500", "\u{9B}2J\u{9D}0;title\u{9C}",
        "\u{202E}kcab\u{2066}\u{2069}\u{61C}",
        "\u{2029}", "a\u{200B}\u{200D}\u{FEFF}\u{AD}b", "\u{E0041}\u{E007F}", "\u{E000}\u{10FFFF}", "\u{378}",
        "\u{3164}\u{FE0F}",
        "a\u{A0}status\u{3000}b",
    ]

    /// True if the line has no character that controls a terminal or is invisible in it.
    private func isSafe(_ line: some StringProtocol) -> Bool {
        line.unicodeScalars.allSatisfy { scalar in
            switch scalar.properties.generalCategory {
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: false
            default: scalar != "\u{3164}" && scalar != "\u{FE0F}"
            }
        }
    }

    private func line(_ format: LogFormat, _ text: String) -> String {
        let bytes = LogLine.bytes(format, time: 1_750_000_000.5, level: "info", message: text) { line in
            line.add("name", text)
            line.add(escaping: text + "x", text)
            line.add("count", -7)
        }
        return String(decoding: bytes, as: UTF8.self)
    }

    @Test("A JSON line is one object with the given texts, whatever they contain", arguments: nasty)
    func json(text: String) throws {
        let line = line(.json, text)
        #expect(line.utf8.last == UInt8(ascii: "\n"))
        #expect(isSafe(line.dropLast()))
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["time"] as? String == "2025-06-15T15:06:40.500Z")
        #expect(object["level"] as? String == "info")
        for name in ["message", "name", text + "x"] {
            #expect((object[name] as? String)?.utf8.elementsEqual(text.utf8) == true)
        }
        #expect(object["count"] as? Int == -7)
    }

    @Test("A text line is one line without control characters, whatever the texts contain", arguments: nasty.map { $0 })
    func text(text: String) {
        let bytes = LogLine.bytes(.text, time: 1_750_000_000.5, level: "info", message: text) { line in
            line.add("name", text)
            line.add("count", -7)
        }
        #expect(bytes.last == UInt8(ascii: "\n"))
        let line = String(decoding: bytes, as: UTF8.self)
        #expect(isSafe(line.dropLast()))
        #expect(line.hasPrefix("2025-06-15T15:06:40.500Z info "))
        #expect(line.hasSuffix(" count=-7\n"))
    }

    @Test("A value in a text line is unquoted if it is harmless, and quoted if it could be read as a field")
    func harmless() {
        let bytes = LogLine.bytes(.text, time: 0, level: "error", message: "a message") { line in
            line.add("name", "Ō")
            line.add("subject", "user status=200")
        }
        #expect(
            String(decoding: bytes, as: UTF8.self)
                == "1970-01-01T00:00:00.000Z error a message name=Ō subject=\"user status=200\"\n")
    }

    @Test("Characters that control a terminal are escaped, and all others are unchanged")
    func spelling() {
        func line(_ format: LogFormat) -> String {
            String(
                decoding: LogLine.bytes(format, time: 0, level: "info", message: "Ō \u{85}") { line in
                    line.add("name", "Ōtaki e\u{301}😀\u{202E}\u{9B}\u{E0041}\\")
                }, as: UTF8.self)
        }
        #expect(
            line(.text)
                == "1970-01-01T00:00:00.000Z info \"Ō \\u{85}\" name=\"Ōtaki e\u{301}😀\\u{202E}\\u{9B}\\u{E0041}\\\\\"\n"
        )
        #expect(
            line(.json).hasSuffix(
                "\"message\":\"Ō \\u0085\",\"name\":\"Ōtaki e\u{301}😀\\u202e\\u009b\\udb40\\udc41\\\\\"}\n"))
    }

    @Test(
        "The time is in UTC, rounded down to the millisecond",
        arguments: [
            (0, "1970-01-01T00:00:00.000Z"), (0.9999, "1970-01-01T00:00:00.999Z"), (-0.5, "1969-12-31T23:59:59.500Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"), (1_750_000_000.125, "2025-06-15T15:06:40.125Z"),
            (2_147_483_648, "2038-01-19T03:14:08.000Z"), (4_102_444_799.75, "2099-12-31T23:59:59.750Z"),
            (253_402_300_799.5, "9999-12-31T23:59:59.500Z"), (-62_135_596_800, "0001-01-01T00:00:00.000Z"),
        ] as [(Double, String)])
    func time(seconds: Double, text: String) {
        #expect(timestamp(seconds) == text)
    }
}

@Suite("The log")
struct LogTests {
    private struct Fault: Error, CustomStringConvertible { let description = "what\nhappened" }

    @Test("The log has the events of its level and above, with their metadata")
    func events() throws {
        let log = CapturedLog()
        var logger = Logger(label: "test") { _ in
            StructuredLogHandler(sink: log.sink, format: .json, level: LogLevel(.info))
        }
        logger[metadataKey: "common"] = "yes"
        logger[metadataKey: "other"] = "no"
        logger.debug("not this")
        logger.info("started", metadata: ["other": "overridden", "list": ["a", "b"]])
        logger.error("failed", error: Fault())
        let events = try log.objects()
        #expect(events.map { $0["message"] as? String } == ["started", "failed"])
        #expect(events.map { $0["level"] as? String } == ["info", "error"])
        #expect(events[0]["common"] as? String == "yes")
        #expect(events[0]["other"] as? String == "overridden")
        #expect(events[1]["error"] as? String == "what\nhappened")
        #expect(logger[metadataKey: "common"] == "yes")
    }

    private func observation(_ principal: Claims?, route: String?) -> Observation {
        var timings = Timings()
        (timings.authentication, timings.pool) = (.microseconds(3), .zero)
        (timings.database, timings.encoding) = (.microseconds(1234), .nanoseconds(41_999))
        return Observation(
            requestID: "r-1", serverRequestID: "s-1", method: "GET", route: route, principal: principal, status: 200,
            duration: .microseconds(1500), timings: timings, bytes: 42, databaseError: nil, statement: nil)
    }

    @Test("Each request has one line with its user, its route, its status and its duration")
    func access() throws {
        let log = CapturedLog()
        let access = AccessLog(sink: log.sink, format: .json)
        access.write(
            observation(Claims(subject: "user_1", organization: "org_1", expiresAt: 0), route: "/x/{org_id}")
        )
        access.write(observation(Claims(subject: "user\n2", expiresAt: 0), route: "/health"))
        access.write(observation(nil, route: nil))
        let lines = try log.objects()
        #expect(lines.count == 3)
        let first = lines[0].filter { $0.key != "time" }.mapValues { "\($0)" }
        #expect(
            first == [
                "level": "info", "message": "request", "request_id": "r-1", "server_request_id": "s-1", "method": "GET",
                "route": "/x/{org_id}", "organization": "org_1", "subject": "user_1", "status": "200",
                "duration_us": "1500", "auth_us": "3",
                "pool_us": "0", "db_us": "1234", "enc_us": "41", "bytes": "42",
            ])
        #expect(lines[1]["subject"] as? String == "user\n2")
        #expect(lines[1]["organization"] == nil)
        #expect(lines[2]["subject"] == nil)
        #expect(lines[2]["route"] as? String == "none")
    }
}

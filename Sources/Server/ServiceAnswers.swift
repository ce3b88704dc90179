import API
import JSON
import PostgreSQL

/// The answers outside the API's own paths (running.md).
enum ServiceAnswers {
    /// The version is for this machine alone: to others it would tell which known faults to try.
    static func health(toThisMachine isOurs: Bool) -> Response {
        json { writer in
            writer.member("status", string: "ok")
            if isOurs { writer.member("version", string: serverVersion) }
            writer.member("timestamp", string: secondsTimestamp(wallClock()))
        }
    }

    static func pageSettings(idleLogoffMinutes: Int) -> Response {
        json { $0.member("idle_logoff_min", number: idleLogoffMinutes) }
    }

    static let ready = json { $0.member("status", string: "ready") }

    /// Prometheus' text format, version 0.0.4.
    static func metrics(_ text: String) -> Response {
        Response(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: Array(text.utf8))
    }

    private static func json(_ body: (inout JSONWriter) -> Void) -> Response {
        var writer = JSONWriter(capacity: 64)
        writer.object(body)
        return Response(status: 200, contentType: "application/json", body: writer.bytes)
    }
}

import API
import JSON
import PostgreSQL

/// The answers outside the API's own paths (running.md).
enum ServiceAnswers {
    static let health = json { writer in
        writer.member("status", string: "ok")
        writer.member("version", string: serverVersion)
    }

    static let ready = json { $0.member("status", string: "ready") }

    static let readinessQuery = Query(Statement(name: "ready", sql: "SELECT 1"))

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

import API
import JSON

/// The responses outside the API's own paths (docs/running.md).
struct ServiceResponses: Sendable {
    /// Settings for the dashboard page.
    let pageSettings: Response
    /// The text of `/metrics`.
    let metrics: @Sendable () -> String
    /// The contact for security reports. Nil if none is set.
    var securityText: SecurityText?
    /// The readiness for clients on other machines. Nil if they cause their own checks.
    var recentReadiness: RecentReadiness?

    /// - Parameter idleLogoffMinutes: minutes without input after which the dashboard page signs the user out.
    init(
        idleLogoffMinutes: Int, securityText: SecurityText? = nil, recentReadiness: RecentReadiness? = nil,
        metrics: @escaping @Sendable () -> String
    ) {
        pageSettings = Self.json { $0.member("idle_logoff_min", number: idleLogoffMinutes) }
        (self.securityText, self.recentReadiness, self.metrics) = (securityText, recentReadiness, metrics)
    }

    /// Only this machine receives the version, because it would show others which known errors to try.
    static func health(toThisMachine isOurs: Bool) -> Response {
        json { writer in
            writer.member("status", string: "ok")
            if isOurs { writer.member("version", string: serverVersion) }
            writer.member("timestamp", string: secondsTimestamp(wallClock()))
        }
    }

    static let ready = json { $0.member("status", string: "ready") }

    /// Prometheus' text format, version 0.0.4.
    func metricsResponse() -> Response {
        Response(status: 200, contentType: "text/plain; version=0.0.4; charset=utf-8", body: Array(metrics().utf8))
    }

    func securityTextResponse() throws(Problem) -> Response {
        guard let securityText else { throw .noRoute }
        return securityText.response(now: wallClock())
    }

    private static func json(_ body: (inout JSONWriter) -> Void) -> Response {
        var writer = JSONWriter(capacity: 64)
        writer.object(body)
        return Response(status: 200, contentType: "application/json", body: writer.bytes)
    }
}

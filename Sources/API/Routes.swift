public import PostgreSQL

/// A path of the server and its handler.
public struct Route: Sendable {
    public enum Target: Sendable {
        case endpoint(any Endpoint.Type)
        case health, readiness, metrics, openAPI, pageSettings, problems, securityText
    }

    /// The path with its variable parts in braces. It identifies the route in logs and metrics.
    public let template: String
    public let target: Target
    let segments: [String]

    init(_ endpoint: any Endpoint.Type) {
        self.init("\(endpoint.path)", .endpoint(endpoint))
    }

    init(_ template: String, _ target: Target) {
        self.template = template
        self.target = target
        segments = template.split(separator: "/").map(String.init)
    }

    public var method: Method {
        if case .endpoint(let endpoint) = target { endpoint.method } else { .get }
    }

    /// True if the route begins a live stream.
    public var isStream: Bool { if case .endpoint(let endpoint) = target { endpoint.isStream } else { false } }

    func answers(_ method: String) -> Bool {
        method == self.method.rawValue || (method == "HEAD" && self.method == .get)
    }

    /// All methods of the API, as a list.
    public static let methods = methods(of: all)

    /// The methods of these routes in the format of `Allow` (RFC 9110 section 10.2.1).
    static func methods(of routes: [Route]) -> String {
        let methods = Set(routes.map(\.method))
        let names = Method.allCases.filter(methods.contains).map { $0 == .get ? "GET, HEAD" : $0.rawValue }
        return (names + ["OPTIONS"]).joined(separator: ", ")
    }

    /// All routes, in the order in which they are tried.
    ///
    /// `/patients/prioritized` precedes the patient, because no id may be `prioritized`. A patient's id may be
    /// `search`, so `GET /patients/search` is the patient and `POST` is the search.
    static let all: [Route] = [
        Route(RiskMetrics.self),
        Route(Performance.self),
        Route(PrioritizedPatients.self),
        Route(SearchPatients.self),
        Route(PatientDetail.self),
        Route(Trends.self),
        Route(Dashboard.self),
        Route(LogOutreach.self),
        Route(LiveAlerts.self),
        Route(Alerts.self),
        Route(AlertEvents.self),
        Route(AcknowledgeAlert.self),
        Route(ReopenAlert.self),
        Route(ReadSettings.self),
        Route(PutSettings.self),
        Route(RotateWebhook.self),
        Route(TestWebhook.self),
        Route("/health", .health),
        Route("/ready", .readiness),
        Route("/metrics", .metrics),
        Route("/openapi.json", .openAPI),
        Route("/dashboard/settings", .pageSettings),
        Route("/problems/{problem}", .problems),
        Route("/.well-known/security.txt", .securityText),
    ]
}

/// The routes, for the parts of the server that need all endpoints.
public enum Routes {
    /// The queries by which `/ready` checks that the database can serve every endpoint.
    ///
    /// - Parameter organization: an id that does not exist.
    public static func readinessQueries(organization: String) -> [Query] {
        endpoints.compactMap { $0.readinessQuery(organization: organization) }
    }

    static var endpoints: [any Endpoint.Type] {
        Route.all.compactMap { if case .endpoint(let endpoint) = $0.target { endpoint } else { nil } }
    }
}

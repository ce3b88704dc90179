public import PostgreSQL

/// What answers at a path.
public struct Route: Sendable {
    public enum Target: Sendable {
        case endpoint(any Endpoint.Type)
        case health, readiness, metrics, openAPI, pageSettings, problems, securityText
    }

    /// The path with its variable parts in braces: what logs and metrics call it.
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

    func answers(_ method: String) -> Bool {
        method == self.method.rawValue || (method == "HEAD" && self.method == .get)
    }

    /// Every method of the API, as a list.
    public static let methods = methods(of: all)

    /// The methods of some routes, as `Allow` lists them (RFC 9110 section 10.2.1).
    static func methods(of routes: [Route]) -> String {
        let methods = Set(routes.map(\.method))
        let names = Method.allCases.filter(methods.contains).map { $0 == .get ? "GET, HEAD" : $0.rawValue }
        return (names + ["OPTIONS"]).joined(separator: ", ")
    }

    /// Every path of the server. The list before the patient: an id may not be `prioritized`. One may be `search`,
    /// and is then what GET finds at that path.
    static let all: [Route] = [
        Route(RiskMetrics.self),
        Route(Performance.self),
        Route(PrioritizedPatients.self),
        Route(SearchPatients.self),
        Route(PatientDetail.self),
        Route(Trends.self),
        Route(Dashboard.self),
        Route(LogOutreach.self),
        Route("/health", .health),
        Route("/ready", .readiness),
        Route("/metrics", .metrics),
        Route("/openapi.json", .openAPI),
        Route("/dashboard/settings", .pageSettings),
        Route("/problems/{problem}", .problems),
        Route("/.well-known/security.txt", .securityText),
    ]
}

/// What the endpoints ask, for whoever wants to know whether it can be answered.
public enum Routes {
    /// The queries of every endpoint that only reads, and of ``LogOutreach``, which looks for its patient before it
    /// writes.
    ///
    /// - Parameter organization: one that there is not.
    public static func harmlessQueries(organization: String) -> [Query] {
        let request = Request(method: "GET", target: Array("/".utf8))
        let call = Call(
            organization: organization, subject: "", patientID: "none", request: request,
            body: Array(#"{"patient_id": "none", "method": "sms", "outcome": "failed"}"#.utf8))
        return Route.all.compactMap { route in
            guard case .endpoint(let endpoint) = route.target, endpoint.isRepeatable || endpoint == LogOutreach.self
            else { return nil }
            // An endpoint that has no defaults for everything is not asked.
            return try? endpoint.init(call).query
        }
    }
}

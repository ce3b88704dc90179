/// What answers at a path.
public struct Route: Sendable {
    public enum Target: Sendable {
        case endpoint(any Endpoint.Type)
        case health, readiness, metrics, openAPI
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

    /// The value of `Allow`.
    public var allowedMethods: String { method == .get ? "GET, HEAD, OPTIONS" : "\(method.rawValue), OPTIONS" }

    /// Every method of the API, as a list.
    public static let methods: String = {
        let ofEndpoints = Set(all.map(\.method.rawValue)).subtracting([Method.get.rawValue])
        return (["GET", "HEAD"] + ofEndpoints.sorted() + ["OPTIONS"]).joined(separator: ", ")
    }()

    /// Every path of the server. The list before the patient: an id may not be `prioritized`.
    static let all: [Route] = [
        Route(RiskMetrics.self),
        Route(Performance.self),
        Route(PrioritizedPatients.self),
        Route(PatientDetail.self),
        Route(Trends.self),
        Route(Dashboard.self),
        Route(LogOutreach.self),
        Route("/health", .health),
        Route("/ready", .readiness),
        Route("/metrics", .metrics),
        Route("/openapi.json", .openAPI),
    ]
}

/// Finds what answers a request.
public enum Router {
    /// A route and the variable parts of the path.
    public struct Match: Sendable {
        public let route: Route
        public let organization: String?
        public let patientID: String?
    }

    /// - Throws: a 404 where no route has this path.
    public static func match(_ request: Request) throws(Problem) -> Match {
        guard let path = request.path else { throw .noRoute }
        for route in Route.all {
            if let match = match(path, route) { return match }
        }
        throw .noRoute
    }

    /// - Throws: a 405 where the route does not answer the method.
    public static func check(_ request: Request, _ match: Match) throws(Problem) {
        let route = match.route
        let isHead = request.method == "HEAD" && route.method == .get
        guard request.method == route.method.rawValue || isHead || request.method == "OPTIONS" else {
            throw .methodNotAllowed(route.allowedMethods)
        }
    }

    private static func match(_ path: [String], _ route: Route) -> Match? {
        guard path.count == route.segments.count else { return nil }
        var organization: String?
        var patientID: String?
        for (segment, expected) in zip(path, route.segments) {
            switch expected {
            case "{org_id}":
                guard Identifiers.isOrganization(segment) else { return nil }
                organization = segment
            case "{patient_id}": patientID = segment
            default:
                // In as many bytes the same spelling too: any other of a text in ASCII is longer.
                guard segment.utf8.count == expected.utf8.count, segment == expected else { return nil }
            }
        }
        return Match(route: route, organization: organization, patientID: patientID)
    }
}

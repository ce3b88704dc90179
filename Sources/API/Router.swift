/// Finds the route of a request.
public enum Router {
    /// A route and the variable parts of the path.
    public struct Match: Sendable {
        public let route: Route
        public let organization: String?
        public let patientID: String?
        public let problem: String?
        fileprivate let path: [String]

        /// The value of `Allow`: the methods of all routes that match this path.
        public var allowedMethods: String { Route.methods(of: Route.all.filter { Router.match(path, $0) != nil }) }
    }

    /// Finds the first route that matches the path and the method, or else the first that matches the path.
    ///
    /// - Throws: a 404 if no route matches the path.
    public static func match(_ request: Request) throws(Problem) -> Match {
        guard let path = request.path else { throw .noRoute }
        var first: Match?
        for route in Route.all {
            guard let match = match(path, route) else { continue }
            if route.answers(request.method) { return match }
            first = first ?? match
        }
        guard let first else { throw .noRoute }
        return first
    }

    /// - Throws: a 405 if no route of this path accepts the method.
    public static func check(_ request: Request, _ match: Match) throws(Problem) {
        guard match.route.answers(request.method) || request.method == "OPTIONS" else {
            throw .methodNotAllowed(match.allowedMethods)
        }
    }

    private static func match(_ path: [String], _ route: Route) -> Match? {
        guard path.count == route.segments.count else { return nil }
        var organization: String?
        var patientID: String?
        var problem: String?
        for (segment, expected) in zip(path, route.segments) {
            switch expected {
            case "{org_id}":
                guard Identifiers.isOrganization(segment) else { return nil }
                organization = segment
            case "{patient_id}": patientID = segment
            case "{problem}": problem = segment
            default:
                // `==` equates differently normalized strings. Equal byte counts make it exact for an ASCII template.
                guard segment.utf8.count == expected.utf8.count, segment == expected else { return nil }
            }
        }
        return Match(route: route, organization: organization, patientID: patientID, problem: problem, path: path)
    }
}

import API
import JWT
import Logging
import PostgreSQL

/// Processes a request from its headers to its response. It is the only place that defines the order of the checks.
struct Pipeline: Sendable {
    let authenticator: Authenticator
    let database: RequestDatabase
    /// The cache. Nil disables caching.
    let responseCache: ResponseCache?
    let hooks: RequestHooks
    let service: ServiceResponses
    let cors: CORS
    var administrators = AdminRoles()
    var organizationLimiter = OrganizationLimiter()
    var webhooks = WebhookSettings()
    var queueTimeout = QueueTimeout(longest: .seconds(1))
    let logger: Logger

    /// The maximum size of a body in bytes (definitions.md section 8).
    static let bodyLimit = 64 * 1024

    /// The maximum length of one header in bytes. Over HTTP/2 nginx also forwards longer ones, so that the server can
    /// refuse them with a problem (nginx/snippets/limits/limits.conf).
    static let headerLimit = 8 * 1024

    /// The result of the checks that do not wait for the database or a key.
    enum Step {
        case answer(Response)
        /// A thread that may wait has to do the rest. `isRead` is true if the rest reads no more of the request.
        case rest(isRead: Bool, Rest)
    }

    /// The part of the work that queries the database or waits for a key.
    typealias Rest = (inout RequestRecord) throws -> Response

    /// Checks a request in the order of errors that definitions.md section 8 defines.
    func answer(_ incoming: Incoming, _ record: inout RequestRecord) throws -> Step {
        let request = incoming.request
        guard !incoming.hasLongHeader else { throw Problem.headersTooLarge }
        // The path is checked later, because a browser hides a preflight's 404 from the page.
        if request.method == "OPTIONS", let headers = cors.preflightHeaders(incoming.preflight, origin: incoming.origin)
        {
            return .answer(Response(status: 204, contentType: nil, headers: headers, body: []))
        }
        let match = try Router.match(request)
        guard incoming.opening == nil || match.route.isStream else { throw Problem.noRoute }
        record.route = match.route.template
        (record.organizationSought, record.patientSought) = (match.organization, match.patientID)
        try Router.check(request, match)
        if request.method == "OPTIONS" { return .answer(options(match)) }
        try incoming.opening?.checkOrigin(of: incoming, cors)
        return switch match.route.target {
        case .endpoint(let endpoint): try call(endpoint, incoming, match, &record)
        case .health: .answer(ServiceResponses.health(toThisMachine: incoming.isFromThisMachine))
        case .readiness: try readiness(incoming)
        case .metrics: .answer(service.metricsResponse())
        case .openAPI: .answer(OpenAPI.response(scheme: incoming.scheme, host: incoming.host))
        case .pageSettings: .answer(service.pageSettings)
        case .problems: .answer(try ProblemPage.response(match.problem))
        case .securityText: .answer(try service.securityTextResponse())
        }
    }

    /// The response to OPTIONS without a preflight of an allowed origin (RFC 9110 section 9.3.7).
    private func options(_ match: Router.Match) -> Response {
        Response(status: 204, contentType: nil, headers: [Header("Allow", match.allowedMethods)], body: [])
    }

    private func call(
        _ endpoint: any Endpoint.Type, _ incoming: Incoming, _ match: Router.Match, _ record: inout RequestRecord
    ) throws -> Step {
        try queueTimeout.check(forwardedAt: incoming.forwardedAt, now: wallClock())
        if let claims = try authenticate(incoming, &record, mayWait: false) {
            return .rest(isRead: true, try prepare(incoming, match, endpoint, claims, &record))
        }
        return .rest(isRead: false) { record in
            // An authenticator that may wait always returns claims.
            guard let claims = try authenticate(incoming, &record, mayWait: true) else { throw Problem.internalError }
            return try prepare(incoming, match, endpoint, claims, &record)(&record)
        }
    }

    private func authenticate(
        _ incoming: Incoming, _ record: inout RequestRecord, mayWait: Bool
    ) throws -> Claims? {
        try record.timings.measure(\.authentication) {
            try authenticator.authenticate(incoming.authorization, mayWait: mayWait)
        }
    }

    /// Responds to `/ready`, which any client may request as often as nginx allows.
    ///
    /// Only requests from this machine run their own check. Other clients get a recent result.
    private func readiness(_ incoming: Incoming) throws -> Step {
        guard let recent = service.recentReadiness, !incoming.isFromThisMachine else {
            return .rest(isRead: true) { record in
                record.statement = "ready"
                try measureDatabase(&record) { try database.checkReadiness() }
                return ServiceResponses.ready
            }
        }
        if try recent.answers() { return .answer(ServiceResponses.ready) }
        return .rest(isRead: true) { record in
            try measureDatabase(&record) { try recent.wait() }
            return ServiceResponses.ready
        }
    }

    /// Does all checks of a call that precede the database, and returns the remaining work.
    private func prepare(
        _ incoming: Incoming, _ match: Router.Match, _ endpoint: any Endpoint.Type, _ claims: Claims,
        _ record: inout RequestRecord
    ) throws -> Rest {
        record.claims = claims
        try hooks.admit(claims)
        try incoming.opening?.admit(claims)
        guard let organization = match.organization, claims.isActive(in: organization) else {
            record.filter = [("org_id", match.organization ?? "")]
            // The audit stores the patient of a refused body too. A body that cannot be read has none.
            record.patientSought = record.patientSought ?? endpoint.patientSought { try? readBody(incoming) }
            throw claims.organization == nil ? Problem.noActiveOrganization : .otherOrganization
        }
        let isAdministrator = administrators.contains(claims)
        guard isAdministrator || !endpoint.isForAdministrators else { throw Problem.notAnAdministrator }
        let admission = try endpoint.organizationLimit.map {
            try organizationLimiter.admit(match.route.template, $0, organization)
        }
        let body = try body(incoming, endpoint.body)
        record.received = body.count
        try incoming.opening?.checkHandshake()
        var call = incoming.call(organization: organization, patientID: match.patientID, body: body, claims: claims)
        (call.isAdministrator, call.webhooks) = (isAdministrator, webhooks)
        let value = try endpoint.init(call)
        try incoming.request.checkHeaders()
        record.filter = value.filter
        record.patientSought = value.patientSought
        if endpoint.isStream {
            guard let opening = incoming.opening else { throw Problem.streamsNotConnected }
            try opening.checkLimit()
        }
        return { record in
            let response = try query(value, organization, &record)
            admission?.end(response)
            return response
        }
    }

    private func body(_ incoming: Incoming, _ rule: BodyRule) throws(Problem) -> [UInt8] {
        switch rule {
        case .none: return []
        case .required: return try readBody(incoming)
        case .undefined:
            guard incoming.request.hasNoContentType, incoming.request.isBodyPlain,
                case .complete(let bytes) = incoming.body(Self.bodyLimit), bytes.isEmpty
            else { return try readBody(incoming) }
            return Array("{}".utf8)
        }
    }

    private func readBody(_ incoming: Incoming) throws(Problem) -> [UInt8] {
        // A repeated Content-Type is ambiguous but not wrong: a 422, like other headers that may be sent once.
        guard incoming.request.hasJSONBody || incoming.request.repeatedHeaders.contains(.contentType) else {
            throw .notJSONType
        }
        guard incoming.request.isBodyPlain else { throw .encodedBody }
        switch incoming.body(Self.bodyLimit) {
        case .complete(let bytes): return bytes
        case .tooLarge: throw .bodyTooLarge(limit: Self.bodyLimit)
        case .incomplete: throw .incompleteBody
        }
    }

    private func query(
        _ value: some Endpoint, _ organization: String, _ record: inout RequestRecord
    ) throws -> Response {
        let query = value.query
        record.statement = query.statement.name
        if let responseCache, let cacheKey = value.cacheKey {
            let found = try runQuery(value, &record) {
                try responseCache.find(query, cacheKey: cacheKey, organization: organization)
            }
            return try record.timings.measure(\.encoding) { try responseCache.response(found, to: value) }
        }
        let rows = try runQuery(value, &record) {
            try database.run(query, organization, type(of: value).isRepeatable)
        }
        return try record.timings.measure(\.encoding) { try value.respond(to: rows) }
    }

    /// Runs `body`, which queries the database. The endpoint converts its own SQLSTATEs to problems.
    private func runQuery<Result>(
        _ endpoint: some Endpoint, _ record: inout RequestRecord, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try measureDatabase(&record, body)
        } catch let error as PostgreSQLError {
            if case .refused(let state, _) = error, let problem = endpoint.problem(for: state) { throw problem }
            throw error
        }
    }

    private func measureDatabase<Result>(
        _ record: inout RequestRecord, _ body: () throws -> Result
    ) rethrows -> Result {
        try record.timings.measureDatabase(waited: database.timeWaited, body)
    }
}

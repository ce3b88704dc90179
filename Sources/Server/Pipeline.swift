import API
import Logging
import PostgreSQL

/// A request's biography: the one place that knows the order of its stations and turns errors into answers.
struct Pipeline: Sendable {
    /// Runs a query bound to an organization; the pool's, or a test's own.
    typealias Database =
        @Sendable (_ query: Query, _ organization: String, _ repeatable: Bool) throws(PostgreSQLError) -> QueryResult

    let authenticator: Authenticator
    let database: Database
    /// Nil if no response is cached.
    let responseCache: ResponseCache?
    /// Throws where the endpoints could not be answered.
    let readiness: @Sendable () throws(PostgreSQLError) -> Void
    /// How long the calling thread has waited for connections to the database, of all that it has waited.
    let waitedForConnections: @Sendable () -> Duration
    let cors: CORS
    let logger: Logger
    /// What the dashboard page is told of the configuration.
    let pageSettings: Response
    /// The text of `/metrics`.
    let renderMetrics: @Sendable () -> String
    /// Asked in order once it is known who asks, before anything is done for them.
    let afterAuthentication: [@Sendable (Principal) throws -> Void]
    /// Takes in what is about to be answered; where it cannot, the answer is not sent.
    let audit: @Sendable (AuditEntry) -> Bool
    /// Told of whom nobody knows and who is answered 401.
    let refused: @Sendable (RefusedAttempt) -> Void
    /// Told in order of every answer that was sent.
    let afterAnswer: [@Sendable (Observation) -> Void]
    /// What strangers are told in the place of that; nil where they cause a look like everybody.
    var recentReadiness: RecentReadiness?
    var patience = Patience(longest: .seconds(1))
    /// Nil where nobody is named to report a hole to.
    var securityText: SecurityText?

    /// The most bytes of a body (definitions.md section 8).
    static let bodyLimit = 64 * 1024

    /// The most bytes of one header (nginx/snippets/limits/limits.conf: nginx takes longer ones, over HTTP/2 to refuse them alone).
    static let headerLimit = 8 * 1024

    /// What has been found out about a request, for the record of it.
    struct Record {
        var route: String?
        var principal: Principal?
        var filter: [(name: StaticString, value: String)] = []
        /// The organization and the patient that the request is about, whatever the answer.
        var organizationSought: String?
        var patientSought: String?
        /// The length of its body, once that has been read.
        var received = 0
        /// What was wrong with it.
        var problem: Problem?
        var databaseError: String?
        var statement: String?
        var timings = Timings()
    }

    /// How far a request comes without waiting for anybody.
    enum Step {
        case answer(Response)
        /// What a thread that may wait has to do; is anything still to be read of the request then?
        case rest(isRead: Bool, Rest)
    }

    /// What is left to do of a request once it asks the database, or waits for a key.
    typealias Rest = (inout Record) throws -> Response

    /// The answer, once it is in the audit's hands: no patient's data leaves without.
    func audited(_ response: Response, _ incoming: Incoming, _ record: Record) -> Response {
        guard let entry = AuditEntry(response, incoming, record), !audit(entry),
            response.status < 300
        else { return response }
        return Problem.unrecorded.response(requestID: incoming.requestID)
    }

    func respond(
        _ incoming: Incoming, _ record: inout Record, with body: (inout Record) throws -> Response?
    ) -> Response? {
        do {
            return try body(&record)
        } catch let problem as Problem {
            return answer(problem, incoming, &record)
        } catch let error as PostgreSQLError {
            record.databaseError = error.kind
            return answer(problem(for: error, incoming, record), incoming, &record)
        } catch {
            log(.error, "an unforeseen error", "\(error)", incoming, record)
            return answer(.internalError, incoming, &record)
        }
    }

    private func answer(_ problem: Problem, _ incoming: Incoming, _ record: inout Record) -> Response {
        record.problem = problem
        return problem.response(requestID: incoming.requestID)
    }

    /// The stations in the order that definitions.md section 8 gives to the errors.
    func answer(_ incoming: Incoming, _ record: inout Record) throws -> Step {
        let request = incoming.request
        guard !incoming.hasLongHeader else { throw Problem.headersTooLarge }
        // Before the path counts: the browser would tell its page nothing of a 404 here.
        if request.method == "OPTIONS", let headers = cors.preflightHeaders(incoming.preflight, origin: incoming.origin)
        {
            return .answer(Response(status: 204, contentType: nil, headers: headers, body: []))
        }
        let match = try Router.match(request)
        record.route = match.route.template
        (record.organizationSought, record.patientSought) = (match.organization, match.patientID)
        try Router.check(request, match)
        if request.method == "OPTIONS" { return .answer(options(match)) }
        switch match.route.target {
        case .endpoint(let endpoint):
            try patience.check(handedOver: incoming.handedOver, now: wallClock())
            if let principal = try authenticate(incoming, &record, mayWait: false) {
                return .rest(isRead: true, try prepare(incoming, match, endpoint, principal, &record))
            }
            return .rest(isRead: false) { record in
                // Of somebody who may wait there is always one.
                guard let principal = try authenticate(incoming, &record, mayWait: true) else {
                    throw Problem.internalError
                }
                return try prepare(incoming, match, endpoint, principal, &record)(&record)
            }
        case .health: return .answer(ServiceAnswers.health(toThisMachine: incoming.isFromThisMachine))
        case .readiness: return try readiness(incoming)
        case .metrics: return .answer(ServiceAnswers.metrics(renderMetrics()))
        case .openAPI: return .answer(OpenAPI.response(scheme: incoming.scheme, host: incoming.host))
        case .pageSettings: return .answer(pageSettings)
        case .problems: return .answer(try ProblemPage.response(match.problem))
        case .securityText:
            guard let securityText else { throw Problem.noRoute }
            return .answer(securityText.response(now: wallClock()))
        }
    }

    private func authenticate(
        _ incoming: Incoming, _ record: inout Record, mayWait: Bool
    ) throws -> Principal? {
        try record.timings.measure(\.authentication) {
            try authenticator.authenticate(incoming.authorization, mayWait: mayWait)
        }
    }

    /// Anybody may ask, and as often as nginx lets him: only a program of this machine causes a statement.
    private func readiness(_ incoming: Incoming) throws -> Step {
        guard let recentReadiness, !incoming.isFromThisMachine else { return .rest(isRead: true, checkReadiness) }
        if try recentReadiness.answers() { return .answer(ServiceAnswers.ready) }
        return .rest(isRead: true) { record in
            try record.timings.measureDatabase(waited: waitedForConnections) { try recentReadiness.wait() }
            return ServiceAnswers.ready
        }
    }

    private func checkReadiness(_ record: inout Record) throws -> Response {
        record.statement = "ready"
        try record.timings.measureDatabase(waited: waitedForConnections) { try readiness() }
        return ServiceAnswers.ready
    }

    /// Everything about a call of an endpoint that comes before the database; returns the rest.
    private func prepare(
        _ incoming: Incoming, _ match: Router.Match, _ endpoint: any Endpoint.Type, _ principal: Principal,
        _ record: inout Record
    ) throws -> Rest {
        record.principal = principal
        for hook in afterAuthentication { try hook(principal) }
        guard let organization = match.organization, principal.claims.isActive(in: organization) else {
            record.filter = [("org_id", match.organization ?? "")]
            // What cannot be read names nobody.
            record.patientSought = record.patientSought ?? endpoint.patientSought { try? readBody(incoming) }
            throw principal.claims.organization == nil ? Problem.noActiveOrganization : .otherOrganization
        }
        let body = endpoint.method == .post ? try readBody(incoming) : []
        record.received = body.count
        let call = Call(
            organization: organization, subject: principal.subject, patientID: match.patientID,
            request: incoming.request, body: body, caller: incoming.caller(principal))
        let value = try endpoint.init(call)
        try incoming.request.checkHeaders()
        record.filter = value.filter
        record.patientSought = value.patientSought
        return { record in try ask(value, organization, &record) }
    }

    private func ask(_ value: some Endpoint, _ organization: String, _ record: inout Record) throws -> Response {
        let query = value.query
        record.statement = query.statement.name
        if let responseCache, let cacheKey = value.cacheKey {
            let found = try askDatabase(value, &record) {
                try responseCache.find(query, cacheKey: cacheKey, organization: organization)
            }
            return try record.timings.measure(\.encoding) { try responseCache.response(found, to: value) }
        }
        let rows = try askDatabase(value, &record) { try database(query, organization, type(of: value).isRepeatable) }
        return try record.timings.measure(\.encoding) { try value.respond(to: rows) }
    }

    /// Runs `body`, which asks the database, and lets the endpoint say what a refusal means.
    private func askDatabase<Result>(
        _ endpoint: some Endpoint, _ record: inout Record, _ body: () throws -> Result
    ) throws -> Result {
        do {
            return try record.timings.measureDatabase(waited: waitedForConnections, body)
        } catch let error as PostgreSQLError {
            if case .refused(let state, _) = error, let problem = endpoint.problem(for: state) { throw problem }
            throw error
        }
    }

    private func readBody(_ incoming: Incoming) throws(Problem) -> [UInt8] {
        // A type that came twice is none that could be wrong: that is a 422, as of each header that may come once.
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

    /// What OPTIONS tells anybody but a page of an allowed origin (RFC 9110 section 9.3.7).
    private func options(_ match: Router.Match) -> Response {
        Response(status: 204, contentType: nil, headers: [Header("Allow", match.allowedMethods)], body: [])
    }

    /// What the caller is told of a database error; the whole of it goes to the log.
    private func problem(for error: PostgreSQLError, _ incoming: Incoming, _ record: Record) -> Problem {
        guard error.isTemporary else {
            log(.error, "the database refused a statement", error, incoming, record)
            return record.route == "/ready"
                ? .unavailable(.notReady, "Requests cannot be answered, or not recorded; the server's log says why.")
                : .internalError
        }
        log(.warning, "the database could not answer", error, incoming, record)
        return .database(error.cause)
    }

    private func log(
        _ level: Logger.Level, _ message: Logger.Message, _ error: PostgreSQLError, _ incoming: Incoming,
        _ record: Record
    ) {
        log(level, message, "\(error)", incoming, record, ["class": "\(error.kind)"])
    }

    private func log(
        _ level: Logger.Level, _ message: Logger.Message, _ reason: String, _ incoming: Incoming, _ record: Record,
        _ more: Logger.Metadata = [:]
    ) {
        var metadata = more
        metadata["request_id"] = "\(incoming.requestID)"
        metadata["server_request_id"] = "\(incoming.serverRequestID)"
        metadata["route"] = "\(record.route ?? "none")"
        metadata["reason"] = "\(reason)"
        logger.log(level: level, message, metadata: metadata)
    }
}

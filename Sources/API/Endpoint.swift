public import PostgreSQL

/// One endpoint's request: a value of this type *is* a validated request.
///
/// Both ends are pure: `init` turns what was sent into a query, `respond` turns rows into an answer.
public protocol Endpoint: Sendable {
    static var method: Method { get }
    /// Where it answers, with `{org_id}` and `{patient_id}` for the parts that vary.
    static var path: StaticString { get }
    /// What it asks the database; run again where a connection breaks, if it only reads.
    static var isRepeatable: Bool { get }

    /// - Throws: ``Problem`` with status 400, 404 or 422.
    init(_ call: Call) throws(Problem)

    var query: Query { get }
    /// Cache key for what the response contains beyond the rows of ``query``; nil disables caching.
    ///
    /// A cached response is sent again until something changes for its organization. It may contain one time of
    /// answering, whose place is ``Response/answeredAt``.
    var cacheKey: String? { get }

    /// What was asked for besides the route, for the audit; never a note or another free text.
    var filter: [(name: StaticString, value: String)] { get }

    /// The one patient whom it asks about, for the audit.
    var patientSought: String? { get }
    /// The same of a body that is refused unchecked, as far as it can be told; nil where a body names no patient.
    static func patientSought(in body: () -> [UInt8]?) -> String?

    /// What it means to the caller that the database refused the query with this code of our own; nil where nothing.
    func problem(for state: SQLState) -> Problem?

    /// - Throws: ``Problem`` where the rows say that there is no such thing, ``EndpointError`` where they are not
    ///   what the query promises.
    func respond(to rows: QueryResult) throws -> Response
}

extension Endpoint {
    public static var method: Method { .get }
    public static var isRepeatable: Bool { true }
    public var cacheKey: String? { nil }
    public var filter: [(name: StaticString, value: String)] { [] }
    public var patientSought: String? { nil }
    public static func patientSought(in body: () -> [UInt8]?) -> String? { nil }
    public func problem(for state: SQLState) -> Problem? { nil }
}

/// A method that an endpoint may answer; HEAD and OPTIONS come with each of them.
public enum Method: String, Sendable, CaseIterable {
    case get = "GET"
    case post = "POST"
}

/// Everything an endpoint may look at.
public struct Call: Sendable {
    /// The organization of the path, which the token has been found to speak for.
    public let organization: String
    /// The user, as the token's `sub` names them.
    public let subject: String
    public let patientID: String?
    public let parameters: QueryParameters
    public let body: [UInt8]
    public let idempotencyKey: [UInt8]?
    let repeatedHeaders: [SingleHeader]
    /// What a write records of whoever asks, beside the subject.
    public let caller: Caller

    public init(
        organization: String, subject: String, patientID: String? = nil, request: Request, body: [UInt8] = [],
        caller: Caller = Caller()
    ) {
        self.organization = organization
        self.subject = subject
        self.caller = caller
        self.patientID = patientID
        parameters = request.parameters
        idempotencyKey = request.idempotencyKey
        repeatedHeaders = request.repeatedHeaders
        self.body = body
    }
}

/// Who asks and from where, as far as it is known.
public struct Caller: Sendable {
    public let sessionID: String?
    public let role: String?
    /// Who really acts, where somebody impersonates the subject.
    public let actor: String?
    public let address: String?
    public let requestID: String?
    public let serverRequestID: String?

    public init(
        sessionID: String? = nil, role: String? = nil, actor: String? = nil, address: String? = nil,
        requestID: String? = nil, serverRequestID: String? = nil
    ) {
        self.sessionID = sessionID
        self.role = role
        self.actor = actor
        self.address = address
        self.requestID = requestID
        self.serverRequestID = serverRequestID
    }
}

/// Rows that do not have the shape which the query promises: a fault of ours.
public struct EndpointError: Error, CustomStringConvertible {
    public let description: String
}

extension QueryResult {
    /// The first row, where the query promises at least one.
    func firstRow() throws(EndpointError) -> Row {
        guard rowCount > 0 else { throw EndpointError(description: "the query returned no row") }
        return self[0]
    }
}

public import PostgreSQL

/// One endpoint's request: a value of this type *is* a validated request.
///
/// Both ends are pure: `init` turns a call into a query, `respond` turns the query's rows into a response.
///
///     struct PatientCount: Endpoint {
///         static let path: StaticString = "/api/v1/reengagement/{org_id}/patient-count"
///         let organization: String
///
///         init(_ call: Call) { organization = call.organization }
///
///         private static let columns = Columns([.number("patients")])
///         private static let statement = Statement(
///             name: "patient_count", sql: "SELECT \(columns.selected) FROM re.patient_count($1)")
///         var query: Query { Query(Self.statement, [organization]) }
///
///         func respond(to rows: QueryResult) throws -> Response {
///             var writer = JSONWriter(capacity: 64)
///             let row = try rows.firstRow()
///             writer.object { $0.members(Self.columns, of: row) }
///             return .json(writer.bytes)
///         }
///     }
public protocol Endpoint: Sendable {
    static var method: Method { get }
    /// Its path, with `{org_id}` and `{patient_id}` for the variable parts.
    static var path: StaticString { get }
    /// Whether its query only reads, and so may run again after the connection broke.
    static var isRepeatable: Bool { get }

    /// - Throws: ``Problem`` with status 400, 404 or 422.
    init(_ call: Call) throws(Problem)

    var query: Query { get }
    /// Cache key for the content of the response beyond the rows of ``query``. Nil disables caching.
    ///
    /// A cached response is sent again until something changes for its organization. It may contain one time of
    /// answering, at ``Response/answeredAt``.
    var cacheKey: String? { get }

    /// The values that were asked for besides the route, for the audit; never a note or another free text.
    var filter: [(name: StaticString, value: String)] { get }

    /// The one patient that it is about, for the audit.
    var patientSought: String? { get }
    /// The same for a body that is refused before it is validated; nil where the body names no patient.
    static func patientSought(in body: () -> [UInt8]?) -> String?

    /// The response where the database refused the query with this code of the project's own; nil for other codes.
    func problem(for state: SQLState) -> Problem?

    /// - Throws: ``Problem`` where the rows show that something does not exist, ``EndpointError`` where they do not
    ///   have the shape of the query.
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

/// A method of an endpoint; each also answers OPTIONS, and GET also HEAD.
public enum Method: String, Sendable, CaseIterable {
    case get = "GET"
    case post = "POST"
}

/// A request as an endpoint sees it: the client is known and may see the organization, and the body has been read.
public struct Call: Sendable {
    /// The organization of the path, in which the token is active.
    public let organization: String
    /// The user, as the token's `sub` names them.
    public let subject: String
    public let patientID: String?
    public let parameters: QueryParameters
    public let body: [UInt8]
    public let idempotencyKey: [UInt8]?
    let repeatedHeaders: [SingleHeader]

    // A write records the following, as far as it is known.
    public var sessionID: String?
    public var role: String?
    /// The user who impersonates the subject.
    public var actor: String?
    public var address: String?
    public var requestID: String?
    public var serverRequestID: String?

    public init(
        organization: String, subject: String, patientID: String? = nil, request: Request, body: [UInt8] = []
    ) {
        self.organization = organization
        self.subject = subject
        self.patientID = patientID
        parameters = request.parameters
        idempotencyKey = request.idempotencyKey
        repeatedHeaders = request.repeatedHeaders
        self.body = body
    }
}

/// Rows that do not have the shape of their query, an error of the server or its schema: 500.
public struct EndpointError: Error, CustomStringConvertible {
    public let description: String
}

extension QueryResult {
    /// The first row of a query that always returns one.
    func firstRow() throws(EndpointError) -> Row {
        guard rowCount > 0 else { throw EndpointError(description: "the query returned no row") }
        return self[0]
    }
}

public import PostgreSQL
public import Webhook

/// One endpoint's request: a value of this type *is* a validated request.
///
/// It does no I/O: `init` turns a call into a query, and `respond` turns the query's rows into a response.
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
    /// The path, with `{org_id}` and `{patient_id}` as its variable parts.
    static var path: StaticString { get }
    /// True if the response begins a live stream, which only the listener of the streams can send.
    static var isStream: Bool { get }
    /// True if the query only reads, so that it can run again after the connection broke.
    static var isRepeatable: Bool { get }
    /// True if only an administrator may call it (definitions.md section 7).
    static var isForAdministrators: Bool { get }
    /// How the body is read.
    static var body: BodyRule { get }
    /// The limit of an organization. Nil for none.
    static var organizationLimit: OrganizationLimit? { get }

    /// - Throws: ``Problem`` with status 400, 404 or 422.
    init(_ call: Call) throws(Problem)

    var query: Query { get }
    /// The query by which `/ready` checks that the database can serve this endpoint. It writes nothing.
    ///
    /// An endpoint that writes, or that has a required parameter, defines its own. Nil is a bug that the tests find.
    ///
    /// - Parameter organization: an id that does not exist.
    static func readinessQuery(organization: String) -> Query?
    /// Cache key for the content of the response beyond the rows of ``query``. Nil disables caching.
    ///
    /// A cached response is reused until data of its organization change. The time at ``Response/answeredAt`` is
    /// replaced, so it may be the only time in the response.
    var cacheKey: String? { get }

    /// The parameters of the request besides its path, for the audit. It must not contain notes or other free text.
    var filter: [(name: StaticString, value: String)] { get }

    /// The id of the one patient that the request is about, for the audit.
    var patientSought: String? { get }
    /// The patient's id in the body of a request that is refused before its body is validated. Nil if it has none.
    static func patientSought(in body: () -> [UInt8]?) -> String?

    /// The response if the query failed with one of the project's own SQLSTATEs. Nil for other codes.
    func problem(for state: SQLState) -> Problem?

    /// - Throws: ``Problem`` if the rows show that something does not exist. ``EndpointError`` if they do not have the
    ///   shape of the query.
    func respond(to rows: QueryResult) throws -> Response
}

extension Endpoint {
    public static var method: Method { .get }
    public static var isStream: Bool { false }
    public static var isRepeatable: Bool { true }
    public static var isForAdministrators: Bool { false }
    public static var body: BodyRule { method == .get ? .none : .required }
    public static var organizationLimit: OrganizationLimit? { nil }
    public static func readinessQuery(organization: String) -> Query? {
        isRepeatable ? query(organization: organization, body: "{}") : nil
    }
    public var cacheKey: String? { nil }
    public var filter: [(name: StaticString, value: String)] { [] }
    public var patientSought: String? { nil }
    public static func patientSought(in body: () -> [UInt8]?) -> String? { nil }
    public func problem(for state: SQLState) -> Problem? { nil }
}

extension Endpoint {
    /// The query of a request with this body and without parameters. Nil if the request is invalid.
    static func query(organization: String, body: String) -> Query? {
        let request = Request(method: method.rawValue, target: Array("/".utf8))
        let call = Call(
            organization: organization, subject: "", patientID: "none", request: request, body: Array(body.utf8))
        return try? Self(call).query
    }
}

/// The method of an endpoint. Each path also accepts OPTIONS, and each path with GET also HEAD.
public enum Method: String, Sendable, CaseIterable {
    case get = "GET"
    case post = "POST"
    case put = "PUT"
}

/// How the body of a request is read.
public enum BodyRule: Sendable {
    /// It is not read.
    case none
    /// It is JSON.
    case required
    /// No body is defined: an empty one without Content-Type, or JSON. The endpoint gets `{}` for an empty one.
    case undefined
}

/// A limit of one organization, which each process counts for itself.
public struct OrganizationLimit: Sendable {
    /// The most responses with ``status`` within ``period``.
    public let most: Int
    public let period: Duration
    public let status: Int

    public init(most: Int, period: Duration, status: Int) {
        (self.most, self.period, self.status) = (most, period, status)
    }
}

/// The settings of the server that concern webhooks.
public struct WebhookSettings: Sendable {
    /// The keys that secrets are computed from. Nil without `SECRETS_KEY_FILE`.
    public let keys: SecretKeys?
    /// Whether any address and port may be named, with http too.
    public let allowsPrivate: Bool

    public init(keys: SecretKeys? = nil, allowsPrivate: Bool = false) {
        (self.keys, self.allowsPrivate) = (keys, allowsPrivate)
    }
}

/// The input of an endpoint: an authenticated client may access the organization, and the body has been read.
public struct Call: Sendable {
    /// The organization in the path, which is also the token's active one.
    public let organization: String
    /// The user: the token's `sub`.
    public let subject: String
    public let patientID: String?
    public let parameters: QueryParameters
    public let body: [UInt8]
    public let idempotencyKey: [UInt8]?
    public let lastEventID: [UInt8]?
    let repeatedHeaders: [SingleHeader]
    /// True if the user is an administrator of the organization.
    public var isAdministrator = false
    public var webhooks = WebhookSettings()

    // Values that an outreach attempt records, as far as they are known.
    public var sessionID: String?
    public var role: String?
    /// The user who acts as the subject (the token's `act`).
    public var actor: String?
    public var address: String?
    public var requestID: String?
    public var serverRequestID: String?

    /// Values about the request that the database stores in the audit, in the order of the recording functions.
    var recorded: [String?] { [sessionID, role, actor, address, requestID, serverRequestID] }

    public init(
        organization: String, subject: String, patientID: String? = nil, request: Request, body: [UInt8] = []
    ) {
        self.organization = organization
        self.subject = subject
        self.patientID = patientID
        parameters = request.parameters
        idempotencyKey = request.idempotencyKey
        lastEventID = request.lastEventID
        repeatedHeaders = request.repeatedHeaders
        self.body = body
    }
}

/// The rows of a query do not have the expected shape. This is a bug of the server or the schema (500).
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

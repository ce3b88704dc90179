/// A header field of a response.
public struct Header: Sendable, Equatable {
    public let name: String
    public let value: String

    public init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// An HTTP response: status, headers and body.
public struct Response: Sendable {
    public var status: Int
    public var contentType: String?
    public var headers: [Header]
    public var body: [UInt8]
    /// The range of the body that contains the time of the response. A cache replaces it. Nil if the body has none.
    public var answeredAt: Range<Int>?
    /// The patients that the body contains, for the audit.
    public var disclosure = Disclosure.nobody
    /// The live stream that begins with the response. Nil for any other response.
    public var stream: StreamNumbers?

    public init(
        status: Int, contentType: String?, headers: [Header] = [], body: [UInt8], answeredAt: Range<Int>? = nil
    ) {
        self.status = status
        self.contentType = contentType
        self.headers = headers
        self.body = body
        self.answeredAt = answeredAt
    }

    static func json(
        _ body: [UInt8], status: Int = 200, answeredAt: Range<Int>? = nil, disclosing disclosure: Disclosure = .nobody
    ) -> Response {
        var response = Response(status: status, contentType: "application/json", body: body, answeredAt: answeredAt)
        response.disclosure = disclosure
        return response
    }
}

/// Where a live stream begins, and the numbers of its first message.
public struct StreamNumbers: Sendable {
    /// The number of the last notice that the client has seen. Nil if it wants those from now on.
    public let after: Int?
    /// The number of the newest notice.
    public let sequence: Int
    public let critical: Int
    public let newToday: Int
    public let open: Int
}

/// The reason phrase of a status (RFC 9110 section 15).
public func reasonPhrase(_ status: Int) -> String {
    switch status {
    case 101: "Switching Protocols"
    case 200: "OK"
    case 201: "Created"
    case 202: "Accepted"
    case 204: "No Content"
    case 400: "Bad Request"
    case 401: "Unauthorized"
    case 403: "Forbidden"
    case 404: "Not Found"
    case 405: "Method Not Allowed"
    case 409: "Conflict"
    case 413: "Content Too Large"
    case 415: "Unsupported Media Type"
    case 422: "Unprocessable Content"
    case 429: "Too Many Requests"
    case 431: "Request Header Fields Too Large"
    case 503: "Service Unavailable"
    default: "Internal Server Error"
    }
}

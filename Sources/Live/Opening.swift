/// The head of a request for a stream.
public struct StreamRequest: Sendable {
    public let method: String
    /// The request target as raw bytes.
    public let target: [UInt8]
    /// The headers in order, with repeated ones.
    public let headers: [(name: String, value: String)]
    public let transport: Transport
    /// Whether the headers of a WebSocket's handshake are complete and correct (RFC 6455 section 4.2.1).
    public let isHandshakeValid: Bool
    /// When it has been read completely.
    public let receivedAt = ContinuousClock.now

    public enum Transport: Sendable {
        case events, webSocket
    }

    public init(
        method: String, target: [UInt8], headers: [(name: String, value: String)], transport: Transport,
        isHandshakeValid: Bool = true
    ) {
        (self.method, self.target, self.headers) = (method, target, headers)
        (self.transport, self.isHandshakeValid) = (transport, isHandshakeValid)
    }
}

/// The response to a request for a stream.
public struct StreamResponse: Sendable {
    public let status: Int
    public let reason: String
    public let headers: [(name: String, value: String)]
    public let body: [UInt8]
    /// The stream that begins after the head. Nil if the body is the whole response.
    public let start: StreamStart?

    public init(
        status: Int, reason: String, headers: [(name: String, value: String)], body: [UInt8], start: StreamStart?
    ) {
        (self.status, self.reason, self.headers, self.body, self.start) = (status, reason, headers, body, start)
    }
}

/// A stream that may begin.
public struct StreamStart: Sendable {
    public let organization: String
    public let credential: Credential
    public let place: StreamPlace
    /// The number of the last notice that the client has seen. Nil if it wants those from now on.
    public let after: Int?
    /// The number of the newest notice, and the counts at the same moment.
    public let sequence: Int
    public let counts: AlertCounts

    public init(
        organization: String, credential: Credential, place: StreamPlace, after: Int?, sequence: Int,
        counts: AlertCounts
    ) {
        (self.organization, self.credential, self.place) = (organization, credential, place)
        (self.after, self.sequence, self.counts) = (after, sequence, counts)
    }
}

/// A verified token.
public struct Credential: Sendable {
    public let token: [UInt8]
    public let subject: String
    public let organization: String
    /// When a stream with this token ends, by ``StreamSource/now``.
    public let endsAt: Double

    public init(token: [UInt8], subject: String, organization: String, endsAt: Double) {
        (self.token, self.subject, self.organization, self.endsAt) = (token, subject, organization, endsAt)
    }

    /// True if a stream may go on with the other token. Texts are compared by bytes.
    func mayBecome(_ other: Credential) -> Bool {
        subject.utf8.elementsEqual(other.subject.utf8) && organization.utf8.elementsEqual(other.organization.utf8)
    }
}

/// What the streams ask of the server. All functions but ``now`` and ``report`` may wait, and run on threads for that.
public struct StreamSource: Sendable {
    /// Answers a request for a stream.
    public let open: @Sendable (StreamRequest) -> StreamResponse
    /// Verifies a token. Nil if it is not valid.
    public let verify: @Sendable (_ token: [UInt8]) -> Credential?
    /// Asks for news of the organizations, in one statement. Nil if the database does not answer.
    public let ask: @Sendable ([Question]) -> [Answer]?
    /// Refreshes the derived data of an organization. True if the next question may find more news.
    public let refresh: @Sendable (_ organization: String) -> Bool
    /// The time in seconds that tokens expire by.
    public let now: @Sendable () -> Double
    public let report: @Sendable (StreamEvent) -> Void

    public init(
        open: @escaping @Sendable (StreamRequest) -> StreamResponse,
        verify: @escaping @Sendable (_ token: [UInt8]) -> Credential?,
        ask: @escaping @Sendable ([Question]) -> [Answer]?,
        refresh: @escaping @Sendable (_ organization: String) -> Bool, now: @escaping @Sendable () -> Double,
        report: @escaping @Sendable (StreamEvent) -> Void
    ) {
        (self.open, self.verify, self.ask, self.refresh, self.now) = (open, verify, ask, refresh, now)
        self.report = report
    }
}

/// An event that belongs to no request.
public enum StreamEvent: Sendable {
    /// No connection can be accepted.
    case acceptFailed(String)
}

/// A question for the notices of an organization after a number.
public struct Question: Sendable, Equatable {
    public let organization: String
    public let after: Int
    /// The ``Answer/state`` of the counts that are known already.
    public let knownState: String?

    public init(organization: String, after: Int, knownState: String?) {
        (self.organization, self.after, self.knownState) = (organization, after, knownState)
    }
}

/// The answer to a question.
public struct Answer: Sendable {
    public let organization: String
    public let after: Int
    /// The number of the newest notice, and of the oldest that is kept.
    public let sequence: Int
    public let oldest: Int
    /// It changes with the counts. Nil while they cannot be told.
    public let state: String?
    /// True if the derived data have to be refreshed first.
    public let isDue: Bool
    /// Nil if they are known already or cannot be told.
    public let counts: AlertCounts?
    /// It changes with each acknowledgement and reopening.
    public let acknowledgement: String
    /// The next notices, at most ``mostNotices``.
    public let notices: [Notice]

    /// How many notices `re.live` returns at most.
    public static let mostNotices = 200

    public init(
        organization: String, after: Int, sequence: Int, oldest: Int, state: String?, isDue: Bool,
        counts: AlertCounts?, acknowledgement: String, notices: [Notice]
    ) {
        (self.organization, self.after, self.sequence, self.oldest) = (organization, after, sequence, oldest)
        (self.state, self.isDue, self.counts) = (state, isDue, counts)
        (self.acknowledgement, self.notices) = (acknowledgement, notices)
    }

    /// True if not all notices after the number are kept, or if there has been no such number.
    var isReset: Bool { after > sequence || after < oldest - 1 }
}

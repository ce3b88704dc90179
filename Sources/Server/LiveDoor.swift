import API
import JWT
import Live

/// Answers requests for live streams by the same pipeline as all others, on the threads of the streams.
struct LiveDoor: Sendable {
    let pipeline: Pipeline
    let metrics: Metrics
    let places: StreamPlaces

    /// The subprotocol of the messages, and what precedes a token that is sent as a subprotocol.
    private static let subprotocol = "reengagement.v1"
    private static let tokenPrefix = "bearer."
    /// A request that has waited longer for a thread is refused.
    private static let longestWait = Duration.seconds(10)

    func open(_ request: StreamRequest) -> StreamResponse {
        metrics.requestBegan()
        defer { metrics.requestEnded() }
        let started = ContinuousClock.now
        let opening = StreamOpening(
            isWebSocket: request.transport == .webSocket, isHandshakeValid: request.isHandshakeValid, places: places)
        let headers = RequestHeaders(request)
        let incoming = Incoming(request, headers, opening)
        var response: Response?
        if let pending = pipeline.begin(incoming, started: started, send: { response = $0 }) {
            if request.receivedAt.duration(to: .now) > Self.longestWait {
                pipeline.refuse(pending) { response = $0 }
            } else {
                pipeline.finish(pending) { response = $0 }
            }
        }
        let answer = response ?? Problem.internalError.response(requestID: incoming.requestID)
        return StreamResponse(answer, opening, incoming, headers)
    }

    /// Verifies a token again, or a new one. It may wait for a key.
    func verify(_ token: [UInt8]) -> Credential? {
        do throws(Problem) {
            guard let claims = try pipeline.authenticator.authenticate(token: token, mayWait: true) else { return nil }
            return Credential(claims, token)
        } catch {
            return nil
        }
    }

    var now: Double { pipeline.authenticator.now }

    /// The value of Authorization: the header, or the token among the subprotocols, since a browser's WebSocket sends no
    /// header.
    static func authorization(_ headers: RequestHeaders, isWebSocket: Bool) -> [UInt8]? {
        if let header = headers["authorization"] { return Array(header.utf8) }
        guard isWebSocket else { return nil }
        let token = headers.list("sec-websocket-protocol").first { $0.hasPrefix(tokenPrefix) }
        return token.map { Array("Bearer \($0.dropFirst(tokenPrefix.count))".utf8) }
    }

    /// The headers of a stream besides those of every response.
    static func streamHeaders(_ opening: StreamOpening, _ headers: RequestHeaders) -> [(name: String, value: String)] {
        // nginx would otherwise collect messages, whatever its configuration.
        guard opening.isWebSocket else { return [("X-Accel-Buffering", "no")] }
        let isOffered = headers.list("sec-websocket-protocol").contains { $0 == subprotocol }
        return isOffered ? [("Sec-WebSocket-Protocol", subprotocol)] : []
    }
}

/// The headers of a request for a stream.
struct RequestHeaders {
    private let values: [String: String]
    private let repeated: Set<String>
    let longest: Int

    /// Values of a repeated header are joined, as nginx does it.
    init(_ request: StreamRequest) {
        var values: [String: String] = [:]
        var repeated: Set<String> = []
        for (name, value) in request.headers {
            let name = name.lowercased()
            if let earlier = values[name] {
                values[name] = "\(earlier), \(value)"
                repeated.insert(name)
            } else {
                values[name] = value
            }
        }
        (self.values, self.repeated) = (values, repeated)
        longest = request.headers.filter { !Self.own.contains($0.name.lowercased()) }.map(\.value.utf8.count).max() ?? 0
    }

    /// Headers that have rules of their own (``Incoming/hasLongHeader``).
    private static let own: Set<String> = [
        "authorization", "origin", "x-request-id", "content-type", "cookie", "access-control-request-headers",
        "sec-websocket-protocol",
    ]

    subscript(_ name: String) -> String? { values[name] }

    func isRepeated(_ name: String) -> Bool { repeated.contains(name) }

    /// The items of a list (RFC 9110 section 5.6.1).
    func list(_ name: String) -> [Substring] {
        (values[name] ?? "").split(separator: ",").map { item in
            let start = item.drop { $0 == " " || $0 == "\t" }
            return start.prefix { $0 != " " && $0 != "\t" }
        }
    }

    func bytes(_ name: String) -> [UInt8]? { values[name].map { Array($0.utf8) } }
}

extension Incoming {
    init(_ request: StreamRequest, _ headers: RequestHeaders, _ opening: StreamOpening) {
        self.request = Request(
            method: request.method, target: request.target, contentType: headers["content-type"],
            lastEventID: headers.bytes("last-event-id"),
            // The origin of a WebSocket that was sent twice is refused as another one.
            repeatedHeaders: !opening.isWebSocket && headers.isRepeated("origin") ? [.origin] : [])
        requestID = RequestID.from(headers.bytes("x-request-id"))
        isAutomatic = headers["x-asked-by"] == "timer"
        authorization = LiveDoor.authorization(headers, isWebSocket: opening.isWebSocket)
        origin = headers.bytes("origin")
        if request.method == "OPTIONS" {
            preflight = Preflight(
                requestedHeaders: headers.bytes("access-control-request-headers"),
                privateNetwork: headers.bytes("access-control-request-private-network"))
        }
        // nginx overwrites the header with the client's address (nginx/snippets/api/live.conf).
        address = headers.list("x-forwarded-for").last.map(String.init)
        hasLongHeader = headers.longest > Pipeline.headerLimit
        scheme = headers["x-forwarded-proto"]
        host = headers["host"]
        self.opening = opening
        body = { _ in .complete([]) }
    }
}

extension Credential {
    init?(_ claims: Claims, _ token: [UInt8]) {
        guard let organization = claims.organization else { return nil }
        self.init(
            token: token, subject: claims.subject, organization: organization,
            endsAt: claims.expiresAt + Authenticator.leeway)
    }
}

extension StreamResponse {
    fileprivate init(
        _ response: Response, _ opening: StreamOpening, _ incoming: Incoming, _ headers: RequestHeaders
    ) {
        let start = StreamStart(response, opening, incoming)
        let contentType = response.contentType.map { [("Content-Type", $0)] } ?? []
        self.init(
            status: response.status, reason: reasonPhrase(response.status),
            headers: contentType + response.headers.map { ($0.name, $0.value) }
                + (start == nil ? [] : LiveDoor.streamHeaders(opening, headers)),
            body: response.body, start: start)
    }
}

extension StreamStart {
    fileprivate init?(_ response: Response, _ opening: StreamOpening, _ incoming: Incoming) {
        guard let stream = response.stream, let claims = opening.claims, let place = opening.place,
            let token = Authenticator.bearerToken(incoming.authorization),
            let credential = Credential(claims, token)
        else { return nil }
        self.init(
            organization: credential.organization, credential: credential, place: place, after: stream.after,
            sequence: stream.sequence,
            counts: AlertCounts(critical: stream.critical, newToday: stream.newToday, open: stream.open))
    }
}

import JSON

/// An error response (RFC 9457, definitions.md section 8).
///
/// Its texts are public instructions for a developer. They never contain SQL, a stack or another organization's data.
public struct Problem: Error, Sendable {
    public let kind: ProblemKind
    public let detail: String
    public let errors: [FieldError]
    /// Headers that belong to the status, such as `Allow`.
    public let headers: [Header]

    init(_ kind: ProblemKind, _ detail: String, errors: [FieldError] = [], headers: [Header] = []) {
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers
    }

    public var status: Int { kind.status }

    /// Returns the response, whose body contains the request's id.
    public func response(requestID: String) -> Response {
        var writer = JSONWriter(capacity: 512)
        writer.object { writer in
            writer.member("type", string: kind.type)
            writer.member("title", string: kind.title)
            writer.member("status", number: status)
            writer.member("detail", string: detail)
            writer.member("request_id", string: requestID)
            if !errors.isEmpty {
                writer.array("errors") { writer in
                    for error in errors {
                        writer.object { writer in
                            writer.member("field", string: error.field)
                            writer.member("message", string: error.message)
                        }
                    }
                }
            }
        }
        return Response(status: status, contentType: "application/problem+json", headers: headers, body: writer.bytes)
    }
}

extension Problem {
    public static let noRoute = Problem(.noSuchRoute, "There is nothing at this path; /openapi.json lists every path.")
    static let noPatient = Problem(.noSuchPatient, "This organization has no such patient, or the patient is archived.")

    /// - Parameter since: the day since which the patient is critical. Nil if the patient is not critical.
    static func alertOver(since: String?) -> Problem {
        let state = since.map { "is critical since \($0), and not since the day that was sent" }
        return Problem(.alertOver, "The patient \(state ?? "is not critical any more"); request alerts again.")
    }

    static func methodNotAllowed(_ allowed: String) -> Problem {
        Problem(.methodNotAllowed, "This path answers \(allowed).", headers: [Header("Allow", allowed)])
    }

    public static let tokenMissing = Problem(
        .tokenMissing, "Send a Clerk session token in the header Authorization: Bearer <token>.",
        headers: [Header("WWW-Authenticate", "Bearer")])

    /// - Parameter detail: the reason why the token was refused.
    public static func unauthorized(_ kind: ProblemKind, _ detail: String) -> Problem {
        Problem(kind, detail, headers: [Header("WWW-Authenticate", "Bearer error=\"invalid_token\"")])
    }

    public static let otherOrganization = Problem(
        .otherOrganization,
        "The token's active organization is not the one in the path; switch to it in Clerk and send the new token.")

    public static let noActiveOrganization = Problem(
        .noActiveOrganization,
        "The token names no active organization; choose one in Clerk and send the new token.")

    public static let notAnAdministrator = Problem(
        .notAnAdministrator,
        "Only an administrator of the organization may do this; the token's role in it is not one of theirs.")

    static let noWebhook = Problem(.noWebhook, "The settings of this organization name no URL of a webhook.")
    static let webhookKeysMissing = Problem(
        .webhookKeysMissing, "This server has no keys to sign webhooks with; its operator has to set SECRETS_KEY_FILE.")
    static let smsNumberTaken = Problem(
        .smsNumberTaken, "The number in sending.sms_from is that of another organization.")

    public static let notJSONType = Problem(.contentTypeNotJSON, "Send the body as Content-Type: application/json.")

    public static let encodedBody = Problem(
        .contentEncodingNotIdentity,
        "The body is announced with a Content-Encoding; send it as it is, without the header.",
        headers: [Header("Accept-Encoding", "identity")])

    public static func bodyTooLarge(limit: Int) -> Problem {
        Problem(.bodyTooLarge, "The body is larger than \(limit) bytes.")
    }

    /// The same text as in nginx/snippets/errors/problem-texts.conf, because nginx refuses most of these itself.
    public static let headersTooLarge = Problem(
        .headersTooLarge,
        "A header of the request is longer than 8 KiB, or all together are longer than 32 KiB; a token is usually the reason."
    )

    public static let incompleteBody = Problem(.bodyIncomplete, "The body ended before its announced length.")

    static func unprocessable(_ errors: [FieldError], _ kind: ProblemKind) -> Problem {
        Problem(kind, "Some values are not valid: see errors.", errors: errors)
    }

    public static func tooManyRequests(retryAfter seconds: Int) -> Problem {
        Problem(
            .rateLimited, "Too many requests for this user; wait \(seconds) s.",
            headers: [Header("Retry-After", String(seconds))])
    }

    public static let originNotAllowed = Problem(
        .originNotAllowed, "This origin may not open a WebSocket; CORS_ALLOWED_ORIGINS lists those that may.")

    public static let handshakeMalformed = Problem(
        .requestMalformed,
        "The request for a WebSocket lacks Connection: Upgrade, Sec-WebSocket-Key or Sec-WebSocket-Version: 13.",
        headers: [Header("Sec-WebSocket-Version", "13")])

    public static func tooManyStreams(limit: Int) -> Problem {
        Problem(
            .tooManyStreams, "This user has \(limit) live streams open; close one.",
            headers: [Header("Retry-After", "15")])
    }

    public static func streamsAtLimit(limit: Int) -> Problem {
        unavailable(.streamsAtLimit, "The server has \(limit) live streams open; try again later.", retryAfter: 15)
    }

    public static let streamsNotConnected = unavailable(
        .streamsNotConnected, "The live streams are not connected: nginx has to pass this path to LIVE_LISTEN.",
        retryAfter: 60)

    public static func tooManyOfOrganization(_ limit: OrganizationLimit, retryAfter seconds: Int) -> Problem {
        Problem(
            .organizationRateLimited,
            "This organization may do this \(limit.most) times in \(limit.period.components.seconds) s; wait \(seconds) s.",
            headers: [Header("Retry-After", String(seconds))])
    }

    public static let internalError = Problem(
        .internalError, "Something went wrong here; it has been logged under this request_id.")

    /// `Retry-After` is long, because only the operator can correct the time zone (definitions.md section 8).
    public static let unknownTimeZone = unavailable(
        .timeZoneUnknown,
        "This organization's time_zone is one that the database no longer knows; its operator has to correct time_zone.",
        retryAfter: 60)

    public static func unavailable(_ kind: ProblemKind, _ detail: String, retryAfter seconds: Int = 1) -> Problem {
        Problem(kind, detail, headers: [Header("Retry-After", String(seconds))])
    }
}

/// The kinds of problems: the name in `type`, the status and the title (definitions.md section 8).
///
/// Each has a page at `/problems/{name}` and an entry in openapi.json. Only nginx sends some of them
/// (nginx/snippets/errors/problem-texts.conf).
public enum ProblemKind: String, Sendable, CaseIterable {
    // 400
    case bodyNotUTF8 = "body-not-utf-8"
    case bodyNotJSON = "body-not-json"
    case bodyTooDeep = "body-too-deep"
    case bodyNotAnObject = "body-not-an-object"
    case bodyIncomplete = "body-incomplete"
    case requestMalformed = "request-malformed"
    // 401
    case tokenMissing = "token-missing"
    case tokenExpired = "token-expired"
    case tokenNotYetValid = "token-not-yet-valid"
    case sessionPending = "session-pending"
    case tokenInvalid = "token-invalid"
    // 403
    case otherOrganization = "other-organization"
    case noActiveOrganization = "no-active-organization"
    case originNotAllowed = "origin-not-allowed"
    case notAnAdministrator = "not-an-administrator"
    case notFromOutside = "not-from-outside"
    case httpsRequired = "https-required"
    // 404, 405, 409
    case noSuchRoute = "no-such-route"
    case noSuchPatient = "no-such-patient"
    case methodNotAllowed = "method-not-allowed"
    case alertOver = "alert-over"
    case noWebhook = "no-webhook"
    case webhookKeysMissing = "webhook-keys-missing"
    case smsNumberTaken = "sms-number-taken"
    // 413, 415
    case bodyTooLarge = "body-too-large"
    case contentTypeNotJSON = "content-type-not-json"
    case contentEncodingNotIdentity = "content-encoding-not-identity"
    // 422
    case badParameter = "bad-parameter"
    case badField = "bad-field"
    case idempotencyKeyUsed = "idempotency-key-used"
    // 429
    case rateLimited = "rate-limited"
    case tooManyStreams = "too-many-streams"
    case organizationRateLimited = "organization-rate-limited"
    case addressRateLimited = "address-rate-limited"
    // 500, 503
    case internalError = "internal-error"
    case serverBusy = "server-busy"
    case streamsAtLimit = "streams-at-limit"
    case streamsNotConnected = "streams-not-connected"
    case databaseAway = "database-away"
    case databaseBusy = "database-busy"
    case databaseAtLimit = "database-at-limit"
    case databaseDiskFull = "database-disk-full"
    case databaseReadOnly = "database-read-only"
    case databaseRefusesLogin = "database-refuses-login"
    case notReady = "not-ready"
    case statementTimeout = "statement-timeout"
    case keysUnavailable = "keys-unavailable"
    case timeZoneUnknown = "time-zone-unknown"
    case auditUnavailable = "audit-unavailable"
    // Sent by nginx only
    case requestTooSlow = "request-too-slow"
    case lengthRequired = "length-required"
    case preconditionFailed = "precondition-failed"
    case addressTooLong = "address-too-long"
    case rangeNotSatisfiable = "range-not-satisfiable"
    case otherHost = "other-host"
    case headersTooLarge = "headers-too-large"
    case plainHTTP = "plain-http"
    case notImplemented = "not-implemented"
    case serverAway = "server-away"
    case serverTooSlow = "server-too-slow"
    case httpVersion = "http-version"
    case refused

    /// The value of `type`, a reference relative to any address of the API (RFC 9457 section 3.1.1).
    public var type: String { "/problems/\(rawValue)" }

    /// The HTTP status of the response.
    public var status: Int { explanation.status }

    /// The title, the same for every response of this type (RFC 9457 section 3.1.3).
    public var title: String { explanation.title }
}

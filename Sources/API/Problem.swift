import JSON

/// An answer that says what went wrong (RFC 9457, definitions.md section 8).
///
/// Its texts are public: a sentence that a developer can act on, never SQL, a stack or another tenant's data.
public struct Problem: Error, Sendable {
    public let status: Int
    public let detail: String
    public let errors: [FieldFault]
    /// Headers that belong to the status, such as `Allow`.
    public let headers: [Header]

    init(_ status: Int, _ detail: String, errors: [FieldFault] = [], headers: [Header] = []) {
        self.status = status
        self.detail = detail
        self.errors = errors
        self.headers = headers
    }

    /// The HTTP status's own phrase: the type is `about:blank` (RFC 9457 section 4.2.1).
    public var title: String { reasonPhrase(status) }

    /// The response, with the request's id in its body.
    public func response(requestID: String) -> Response {
        var writer = JSONWriter(capacity: 512)
        writer.object { writer in
            writer.member("type", string: "about:blank")
            writer.member("title", string: title)
            writer.member("status", number: status)
            writer.member("detail", string: detail)
            writer.member("request_id", string: requestID)
            if !errors.isEmpty {
                writer.member("errors", array: { writer in
                    for fault in errors {
                        writer.object { writer in
                            writer.member("field", string: fault.field)
                            writer.member("message", string: fault.message)
                        }
                    }
                })
            }
        }
        return Response(status: status, contentType: "application/problem+json", headers: headers, body: writer.bytes)
    }
}

extension Problem {
    static let noRoute = Problem(404, "There is nothing at this path; /openapi.json lists every path.")
    static let noPatient = Problem(404, "This organization has no such patient, or the patient is archived.")

    static func methodNotAllowed(_ allowed: String) -> Problem {
        Problem(405, "This path answers \(allowed).", headers: [Header("Allow", allowed)])
    }

    /// - Parameter detail: nil where no token was sent, else why it was refused.
    public static func unauthorized(_ detail: String?) -> Problem {
        let challenge = detail == nil ? "Bearer" : "Bearer error=\"invalid_token\""
        return Problem(
            401, detail ?? "Send a Clerk session token in the header Authorization: Bearer <token>.",
            headers: [Header("WWW-Authenticate", challenge)])
    }

    public static let otherOrganization = Problem(
        403, "The token's active organization is not the one in the path; switch to it in Clerk and send the new token.")

    public static let notJSONType = Problem(415, "Send the body as Content-Type: application/json.")

    public static func bodyTooLarge(limit: Int) -> Problem {
        Problem(413, "The body is larger than \(limit) bytes.")
    }

    public static let incompleteBody = Problem(400, "The body ended before its announced length.")

    static func badBody(_ detail: String) -> Problem { Problem(400, detail) }

    static func unprocessable(_ errors: [FieldFault]) -> Problem {
        Problem(422, "Some values are not valid: see errors.", errors: errors)
    }

    public static func tooManyRequests(retryAfter seconds: Int) -> Problem {
        Problem(
            429, "Too many requests for this user; wait \(seconds) s.",
            headers: [Header("Retry-After", String(seconds))])
    }

    public static let internalError = Problem(
        500, "Something went wrong here; it has been logged under this request_id.")

    /// What only the operator can mend, so that asking again soon is of no use (definitions.md section 8).
    public static let unknownTimeZone = unavailable(
        "This organization's time_zone is one that the database no longer knows; its operator has to correct time_zone.",
        retryAfter: 60)

    public static func unavailable(_ detail: String, retryAfter seconds: Int = 1) -> Problem {
        Problem(503, detail, headers: [Header("Retry-After", String(seconds))])
    }
}

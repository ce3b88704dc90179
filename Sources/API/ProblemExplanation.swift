/// The texts of a problem's page (RFC 9457 section 3.1.1).
struct ProblemExplanation {
    let status: Int
    let title: String
    let cause: String
    let remedy: String

    init(_ status: Int, _ title: String, _ cause: String, _ remedy: String) {
        self.status = status
        self.title = title
        self.cause = cause
        self.remedy = remedy
    }
}

extension ProblemKind {
    /// A `switch`, so that the compiler requires a line for each kind.
    var explanation: ProblemExplanation {
        switch self {
        case .bodyNotUTF8:
            .init(
                400, "The body is not UTF-8", "The bytes of the body are not valid UTF-8.",
                "Encode the body as UTF-8, as JSON.stringify and fetch do.")
        case .bodyNotJSON:
            .init(
                400, "The body is not JSON",
                "The body is not one JSON value (RFC 8259); detail has the position of the error.",
                "Write the body with a JSON library.")
        case .bodyTooDeep:
            .init(
                400, "The body nests too deep", "The body has more levels of nesting than the service accepts.",
                "Send the documented fields alone.")
        case .bodyNotAnObject:
            .init(
                400, "The body is not an object", "The body is JSON, but not an object.",
                "Send an object with the documented fields, such as {\"patient_id\": \"patient_123\", …}.")
        case .bodyIncomplete:
            .init(
                400, "The body is incomplete", "The body ended before its announced length.", "Send the request again.")
        case .requestMalformed:
            .init(
                400, "The request is not valid HTTP",
                "The first line, the Host header or the percent-encoding of the path is malformed, a header that may be there once is there twice, or the body is not as long as Content-Length says; detail names which.",
                "Send the request with an HTTP library; encode ids with encodeURIComponent.")
        case .tokenMissing:
            .init(
                401, "No token", "The request has no Authorization header with a Bearer token.",
                "Send a Clerk session token: Authorization: Bearer, then what getToken() returns.")
        case .tokenExpired:
            .init(
                401, "The token has expired", "The token was valid once. Its exp is in the past.",
                "Ask Clerk for a fresh token (getToken()) and send the request again. Tokens live for a minute: ask before each request."
            )
        case .tokenNotYetValid:
            .init(
                401, "The token is not valid yet", "The token's nbf or iat is in the future.",
                "Ask for a fresh token; where that does not help, a clock is wrong, either the server's or the token issuer's."
            )
        case .sessionPending:
            .init(
                401, "The session is pending",
                "The user has signed in, but has a task left, such as choosing an organization (sts).",
                "Let the user finish the task in Clerk's component, then ask for a fresh token.")
        case .tokenInvalid:
            .init(
                401, "The token is not valid", "The token fails a check; detail names which.",
                "Send what getToken() returns as it is. If that is refused, the issuer, the key or the authorized parties that the server is configured with are not those of this Clerk instance."
            )
        case .otherOrganization:
            .init(
                403, "Another organization",
                "The token is valid, and its active organization is not the one in the path.",
                "Put the token's own organization into the path, or switch with setActive({organization}) and ask for a new token."
            )
        case .noActiveOrganization:
            .init(
                403, "No active organization", "The token is valid, but names no active organization.",
                "Have the user choose an organization with setActive({organization}). A token template needs \"org_id\": \"{{org.id}}\"."
            )
        case .notFromOutside:
            .init(
                403, "Not from outside", "This path answers only to the machine that the service runs on.",
                "Send the request from that machine, for example through ssh.")
        case .httpsRequired:
            .init(
                403, "HTTPS is required",
                "The API was asked over plain HTTP, where anyone on the network path can read the token and the notes.",
                "Use https:// in the address. Treat the token that was sent as known to others: end its session.")
        case .noSuchRoute:
            .init(
                404, "No such route",
                "The service has nothing at this path: it is misspelt, has a trailing or a doubled slash, or is not UTF-8.",
                "Compare the path with those of /openapi.json.")
        case .noSuchPatient:
            .init(
                404, "No such patient",
                "The organization of the path has no patient with this id, or the patient is archived.",
                "Ask for the list again. Ids are compared byte by byte and belong to one organization.")
        case .methodNotAllowed:
            .init(
                405, "Method not allowed", "The path is there and does not answer this method.",
                "Use one of the methods in the header Allow.")
        case .bodyTooLarge:
            .init(
                413, "The body is too large", "The body is larger than 64 KiB.",
                "Shorten it; notes have at most 4,000 characters.")
        case .contentTypeNotJSON:
            .init(
                415, "The content type is not JSON", "The body is not declared as application/json.",
                "Send the header Content-Type: application/json.")
        case .contentEncodingNotIdentity:
            .init(
                415, "The body is encoded",
                "The header Content-Encoding names a coding, such as gzip. No body is decoded here.",
                "Send the body as it is, without Content-Encoding.")
        case .badParameter:
            .init(
                422, "A parameter is not valid",
                "A parameter of the address has a value that it cannot have; errors lists each.",
                "Send one of the documented values, in lower case, once. Leave a parameter out for its default.")
        case .badField:
            .init(
                422, "A field is not valid",
                "A field of the body or a header has a value that it cannot have, or a required field is missing; errors lists each.",
                "Correct the fields that errors names.")
        case .idempotencyKeyUsed:
            .init(
                422, "The idempotency key is used", "This organization has already used the key for another attempt.",
                "Make a new key for each attempt, with crypto.randomUUID(), and keep it only to repeat that same attempt."
            )
        case .rateLimited:
            .init(
                429, "Too many requests of this user", "One user sends more requests a second than are allowed.",
                "Wait the number of seconds in Retry-After, and ask less often.")
        case .addressRateLimited:
            .init(
                429, "Too many requests from this address",
                "One network address sends more requests than are allowed, or holds too many connections.",
                "Wait the number of seconds in Retry-After, and ask less often.")
        case .internalError:
            .init(
                500, "Internal error", "An unexpected error occurred. It is in the log.",
                "Report it with its request_id.")
        case .serverBusy:
            .init(
                503, "The server is busy", "More requests wait than can be answered in time.",
                "Wait the number of seconds in Retry-After. A POST was not carried out.")
        case .databaseAway:
            .init(
                503, "The database is away", "The database cannot be reached, or the connection to it broke.",
                "Wait the number of seconds in Retry-After. Repeat a POST with the same idempotency key: it may have been carried out."
            )
        case .databaseBusy:
            .init(
                503, "The database is busy",
                "All connections to the database were in use, or others held what the request needs, for as long as it may wait.",
                "Wait the number of seconds in Retry-After. A POST was not carried out.")
        case .databaseAtLimit:
            .init(
                503, "The database is at its limit",
                "The database accepts no more connections, or is short of memory. detail has the reason.",
                "Wait the number of seconds in Retry-After. A POST was not carried out.")
        case .databaseDiskFull:
            .init(
                503, "The database's disk is full", "The database has no room left to write what the request needs.",
                "The operator has to free disk space. Repeat a POST with the same idempotency key then: it was not carried out."
            )
        case .databaseReadOnly:
            .init(
                503, "The database takes no writes",
                "The database is a standby, or is set to be read only. Reads are answered.",
                "Wait the number of seconds in Retry-After. Repeat a POST with the same idempotency key: it was not carried out."
            )
        case .databaseRefusesLogin:
            .init(
                503, "The database refuses the service",
                "The database refuses the service's login: its password, its role or pg_hba.conf has changed.",
                "The operator has to correct the login. A POST was not carried out.")
        case .notReady:
            .init(
                503, "The service is not ready",
                "A part of the database's schema, a privilege or the audit is missing.",
                "The server's log names it. Requests that do not need it are answered.")
        case .statementTimeout:
            .init(
                503, "The database took too long", "A statement exceeded its timeout and was cancelled.",
                "Wait the number of seconds in Retry-After. Repeat a POST with the same idempotency key: it may have been carried out."
            )
        case .keysUnavailable:
            .init(
                503, "No signing key yet",
                "The keys that tokens are checked with have not been fetched from Clerk yet, or not for too long.",
                "Wait the number of seconds in Retry-After; if this continues, the server cannot reach Clerk.")
        case .timeZoneUnknown:
            .init(
                503, "The clinic's time zone is not known",
                "The organization's time_zone is one that the database no longer knows, so its days cannot be computed.",
                "The operator has to correct organizations.time_zone. Until then every retry fails.")
        case .auditUnavailable:
            .init(
                503, "The audit takes nothing", "The response could not be recorded in the audit, so it was not sent.",
                "Wait the number of seconds in Retry-After.")
        case .requestTooSlow:
            .init(408, "The request took too long", "The request did not arrive whole in time.", "Send it again.")
        case .lengthRequired:
            .init(
                411, "The length is missing", "The request has a body without a length.",
                "Send the header Content-Length.")
        case .preconditionFailed:
            .init(
                412, "Precondition failed", "A condition of the request, such as If-Match, does not hold.",
                "Send the request without it.")
        case .addressTooLong:
            .init(
                414, "The address is too long", "The address of the request is longer than 8 KiB.",
                "Shorten the address.")
        case .rangeNotSatisfiable:
            .init(
                416, "No such range", "The part of the file that the request asks for is not there.",
                "Send the request without the header Range.")
        case .otherHost:
            .init(
                421, "Another host", "This server does not answer for the host that the request names.",
                "Use the address that the service was published under.")
        case .headersTooLarge:
            .init(
                431, "The headers are too large",
                "A header is longer than 8 KiB, or all together are longer than 32 KiB.",
                "Usually the token is the reason: leave large claims out of it.")
        case .plainHTTP:
            .init(497, "Plain HTTP on the port of HTTPS", "This port speaks HTTPS.", "Use https:// in the address.")
        case .notImplemented:
            .init(
                501, "Not implemented",
                "The request uses a part of HTTP that is not supported, such as a transfer encoding other than chunked.",
                "Send the body with a Content-Length.")
        case .serverAway:
            .init(
                502, "The service is away",
                "The service is not running, or it closed the connection. It is usually back within seconds.",
                "Wait the number of seconds in Retry-After. Repeat a POST with the same idempotency key: it may have been carried out."
            )
        case .serverTooSlow:
            .init(
                504, "The service did not answer in time", "nginx reached its timeout before the service responded.",
                "Wait the number of seconds in Retry-After. Repeat a POST with the same idempotency key: it may have been carried out."
            )
        case .httpVersion:
            .init(
                505, "HTTP version not supported", "The request uses a version of HTTP that is not supported.",
                "Use HTTP/1.1 or HTTP/2.")
        case .refused:
            .init(
                400, "The request was refused", "nginx refused the request. The status gives the reason.",
                "Report it with its request_id.")
        }
    }
}

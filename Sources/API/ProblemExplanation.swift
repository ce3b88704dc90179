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
                "Send only the documented fields.")
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
                "The first line, the Host header or the percent-encoding of the path is malformed, a header that is allowed once was sent twice, or the length of the body differs from Content-Length. The field detail has the reason.",
                "Send the request with an HTTP library, and encode ids with encodeURIComponent.")
        case .tokenMissing:
            .init(
                401, "No token", "The request has no Authorization header with a Bearer token.",
                "Send the header Authorization: Bearer with the Clerk session token that getToken() returns.")
        case .tokenExpired:
            .init(
                401, "The token has expired", "The token was valid once. Its exp is in the past.",
                "Get a fresh token with getToken() and send the request again. A token is valid for a minute, so get one before each request."
            )
        case .tokenNotYetValid:
            .init(
                401, "The token is not valid yet", "The token's nbf or iat is in the future.",
                "Ask for a fresh token; where that does not help, a clock is wrong, either the server's or the token issuer's."
            )
        case .sessionPending:
            .init(
                401, "The session is pending",
                "The user has signed in, but must still complete a task, such as choosing an organization (the claim sts).",
                "Let the user complete the task in Clerk's component, then get a fresh token.")
        case .tokenInvalid:
            .init(
                401, "The token is not valid", "The token fails a check. The field detail names it.",
                "Send the token of getToken() unchanged. If it is refused, the server is configured with the issuer, key or authorized parties of another Clerk instance."
            )
        case .otherOrganization:
            .init(
                403, "Another organization",
                "The token is valid, but its active organization is not the one in the path.",
                "Use the token's organization in the path, or switch with setActive({organization}) and get a new token."
            )
        case .noActiveOrganization:
            .init(
                403, "No active organization", "The token is valid, but names no active organization.",
                "Have the user choose an organization with setActive({organization}). A token template needs \"org_id\": \"{{org.id}}\"."
            )
        case .originNotAllowed:
            .init(
                403, "The origin is not allowed",
                "A page of another site asks for a WebSocket. Its origin is neither this host nor an allowed one.",
                "The operator allows an origin with CORS_ALLOWED_ORIGINS. A program need not send the header Origin.")
        case .notAnAdministrator:
            .init(
                403, "Not an administrator",
                "The token is valid, but its role in the organization is none of the roles of administrators.",
                "Ask an administrator of the organization. The operator names the roles in ADMIN_ROLES.")
        case .notFromOutside:
            .init(
                403, "Not from outside", "This path answers only to the machine that the service runs on.",
                "Send the request from that machine, for example through ssh.")
        case .httpsRequired:
            .init(
                403, "HTTPS is required",
                "The API was asked over plain HTTP, where anyone on the network path can read the token and the notes.",
                "Use https:// in the address. Others may have read the token, so end its session.")
        case .noSuchRoute:
            .init(
                404, "No such route",
                "The service has no such path. It may be misspelt, have a trailing or doubled slash, or not be UTF-8.",
                "Compare the path with the paths in /openapi.json.")
        case .noSuchPatient:
            .init(
                404, "No such patient",
                "The organization of the path has no patient with this id, or the patient is archived.",
                "Request the list again. Ids are compared byte by byte and belong to one organization.")
        case .methodNotAllowed:
            .init(
                405, "Method not allowed", "The path exists, but does not support this method.",
                "Use a method that the header Allow lists.")
        case .alertOver:
            .init(
                409, "The alert is over",
                "The patient has been critical since another day than the request names, or is not critical any more.",
                "Request alerts again. An alert is identified by the patient and critical_since.")
        case .noWebhook:
            .init(
                409, "No webhook", "The settings of the organization name no URL of a webhook.",
                "Name one first, by PUT settings.")
        case .webhookKeysMissing:
            .init(
                409, "Webhooks are not set up",
                "The server has no keys, so no receiver could check that a message comes from it.",
                "The operator names a file with keys in SECRETS_KEY_FILE.")
        case .smsNumberTaken:
            .init(
                409, "The number is taken", "Another organization sends SMS from this number.",
                "Use a number of this organization's own.")
        case .bodyTooLarge:
            .init(
                413, "The body is too large", "The body is larger than 64 KiB.",
                "Shorten it. Notes have at most 4,000 characters.")
        case .contentTypeNotJSON:
            .init(
                415, "The content type is not JSON", "The body is not declared as application/json.",
                "Send the header Content-Type: application/json.")
        case .contentEncodingNotIdentity:
            .init(
                415, "The body is encoded",
                "The header Content-Encoding names an encoding, such as gzip. The server does not decode bodies.",
                "Send the body unencoded, without Content-Encoding.")
        case .badParameter:
            .init(
                422, "A parameter is not valid",
                "A query parameter has a value that is not allowed. The field errors lists each.",
                "Send one of the documented values, in lower case, once. Leave a parameter out for its default.")
        case .badField:
            .init(
                422, "A field is not valid",
                "A field of the body or a header has a value that is not allowed, or a required field is missing. The field errors lists each.",
                "Correct the fields that are listed in errors.")
        case .idempotencyKeyUsed:
            .init(
                422, "The idempotency key is used", "This organization has already used the key for another attempt.",
                "Create a new key for each attempt with crypto.randomUUID(). Send a key again only to retry the same attempt."
            )
        case .rateLimited:
            .init(
                429, "Too many requests of this user", "One user sends more requests a second than the limit.",
                "Wait the number of seconds in Retry-After, and ask less often.")
        case .tooManyStreams:
            .init(
                429, "Too many streams of one user", "The user has as many live streams open as one user may have.",
                "Close one, or share one among the pages of a browser. Wait the number of seconds in Retry-After.")
        case .organizationRateLimited:
            .init(
                429, "Too many requests of this organization",
                "All users of the organization together have done this as often as the limit allows.",
                "Wait the number of seconds in Retry-After.")
        case .addressRateLimited:
            .init(
                429, "Too many requests from this address",
                "One network address sends more requests than the limit, or has too many open connections.",
                "Wait the number of seconds in Retry-After, and ask less often.")
        case .internalError:
            .init(
                500, "Internal error", "An unexpected error occurred. It is in the log.",
                "Report it with its request_id.")
        case .serverBusy:
            .init(
                503, "The server is busy", "Too many requests are waiting.",
                "Wait the number of seconds in Retry-After. A POST was not carried out.")
        case .streamsAtLimit:
            .init(
                503, "Too many streams", "The server has as many live streams open as it may have.",
                "Wait the number of seconds in Retry-After. Until then ask alerts/events.")
        case .streamsNotConnected:
            .init(
                503, "No streams here", "The request did not come by the socket of the live streams (LIVE_LISTEN).",
                "The operator has to pass alerts/live to that socket, as nginx/snippets/api/live.conf does. Until then ask alerts/events."
            )
        case .databaseAway:
            .init(
                503, "The database is away", "The database cannot be reached, or the connection to it broke.",
                "Wait the number of seconds in Retry-After. Repeat a POST with the same idempotency key: it may have been carried out."
            )
        case .databaseBusy:
            .init(
                503, "The database is busy",
                "All connections to the database were in use, or another transaction held a lock, until the timeout.",
                "Wait the number of seconds in Retry-After. A POST was not carried out.")
        case .databaseAtLimit:
            .init(
                503, "The database is at its limit",
                "The database accepts no more connections, or is short of memory. detail has the reason.",
                "Wait the number of seconds in Retry-After. A POST was not carried out.")
        case .databaseDiskFull:
            .init(
                503, "The database's disk is full", "The database has no disk space left for the request.",
                "The operator has to free disk space. Repeat a POST with the same idempotency key then: it was not carried out."
            )
        case .databaseReadOnly:
            .init(
                503, "The database takes no writes",
                "The database is a standby, or is read only. Reads still work.",
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
                "The keys that verify tokens have not been fetched from Clerk yet, or are too old.",
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
            .init(
                408, "The request took too long", "The request did not arrive completely before the timeout.",
                "Send it again.")
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
                416, "No such range", "The file does not have the requested part.",
                "Send the request without the header Range.")
        case .otherHost:
            .init(
                421, "Another host", "This server does not answer for the host that the request names.",
                "Use the published address of the service.")
        case .headersTooLarge:
            .init(
                431, "The headers are too large",
                "A header is longer than 8 KiB, or all headers together are longer than 32 KiB.",
                "Usually the token is too large: remove large claims from it.")
        case .plainHTTP:
            .init(
                497, "Plain HTTP on the port of HTTPS", "This port accepts only HTTPS.", "Use https:// in the address.")
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

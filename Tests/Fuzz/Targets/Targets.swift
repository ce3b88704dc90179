/// A function of untrusted bytes that traps if one of its assertions fails.
typealias Target = @Sendable (_ input: [UInt8]) -> Void

/// The targets, by the names that `run` and the corpus use.
let targets: [String: Target] = [
    "body": fuzzBody, "claims": fuzzClaims, "cursor": fuzzCursor, "fastcgi": fuzzFastCGI, "json": fuzzJSON,
    "jwks": fuzzJWKS, "pem": fuzzPEM, "request": fuzzRequest, "token": fuzzToken,
]

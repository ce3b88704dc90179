/// One thing that is fed with bytes from outside; it traps where what it says of them does not hold.
typealias Target = @Sendable (_ input: [UInt8]) -> Void

/// The targets by the names that `run` and the corpus give them.
let targets: [String: Target] = [
    "body": fuzzBody, "claims": fuzzClaims, "cursor": fuzzCursor, "fastcgi": fuzzFastCGI, "json": fuzzJSON,
    "jwks": fuzzJWKS, "pem": fuzzPEM, "request": fuzzRequest, "token": fuzzToken,
]

/// The reason why a token was not accepted.
public enum TokenError: Error, Equatable, Sendable {
    /// The token fails a rule (401).
    case invalid(Rule)
    /// No token can be verified, because no signing key has been fetched yet or the keys are too old (503).
    case keysUnavailable
    /// The token's key may become available, but the caller does not allow a wait for it.
    case keyNotYetFetched

    /// The rule that a token failed.
    ///
    /// Its ``text`` quotes no part of the token, so it may appear in a log and in a problem's `detail`.
    public enum Rule: String, Equatable, Sendable, CaseIterable {
        case tooLong = "The token is longer than 8192 bytes."
        case notThreeSegments = "The token is not three non-empty segments separated by dots."
        case notBase64URL = "A segment of the token is not canonical base64url without padding."
        case headerNotAnObject = "The token's header is not a JSON object with distinct names, nested at most 64 deep."
        case algorithm = "The token's algorithm is not RS256."
        case critical = "The token's header has critical extensions, which are not supported."
        case type = "The token's type (typ) is not JWT."
        case keyIDNotAString = "The token's kid is not a string."
        case keyIDMissing = "The token names no signing key (kid)."
        case keyUnknown = "The token's signing key (kid) is not known."
        case payloadNotAnObject =
            "The token's payload is not a JSON object with distinct names, nested at most 64 deep."
        case signature = "The token's signature does not verify."
        case claimMalformed = "A claim of the token has a value that it cannot have."
        case expirationMissing = "The token has no expiration time (exp) that is a number."
        case subjectMissing = "The token has no subject (sub) that is a non-empty string."
        case expired = "The token has expired."
        case notYetValid = "The token is not valid yet (nbf)."
        case issuedInTheFuture = "The token was issued in the future (iat)."
        case issuer = "The token's issuer (iss) is not the expected one."
        case authorizedParty = "The token's authorized party (azp) is not an allowed one."
        case audience = "The token's audience (aud) is not an allowed one: it was made for something else."
        case lifetime = "The token's expiration time (exp) lies further ahead than is allowed."
        case claimTooLong = "A claim of the token is longer than is allowed."
        case denied = "The token's subject (sub) or session (sid) is refused here."
        case sessionPending = "The token's session is pending (sts)."

        /// A sentence for the developer who sent the token.
        public var text: String { rawValue }
    }
}

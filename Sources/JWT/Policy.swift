internal import JSON

/// The rules for accepted tokens, in addition to their signature.
public struct Policy: Sendable {
    private let issuer: [UInt8]
    private let authorizedParties: Set<[UInt8]>?
    private let audiences: Set<[UInt8]>
    private let longestLifetime: Double?
    private let leeway: Double

    /// By default, how many seconds `exp` may be in the future.
    public static let usualLifetime = 86_400.0

    /// A policy. All texts are compared byte by byte.
    ///
    /// - Parameters:
    ///   - issuer: the required `iss`.
    ///   - authorizedParties: the allowed values of `azp`. Nil allows any value and a missing claim.
    ///   - audiences: the allowed values of `aud`. A token with an `aud` must have one of them.
    ///   - longestLifetime: how many seconds `exp` may be in the future. Nil for no limit.
    ///   - leeway: by how many seconds the issuer's clock may differ from this machine's.
    public init(
        issuer: String, authorizedParties: [String]? = nil, audiences: [String] = [],
        longestLifetime: Double? = Policy.usualLifetime, leeway: Double = 5
    ) {
        self.issuer = Array(issuer.utf8)
        self.authorizedParties = authorizedParties.map { Set($0.map { Array($0.utf8) }) }
        self.audiences = Set(audiences.map { Array($0.utf8) })
        self.longestLifetime = longestLifetime
        self.leeway = leeway
    }

    /// Checks a payload and returns its claims.
    func claims(of payload: JSONObject, at time: TokenTime) throws(TokenError) -> Claims {
        let claims = try Claims(payload)
        try checkTimes(of: claims, at: time)
        guard let issuer = try payload.text("iss"), issuer.utf8.elementsEqual(self.issuer) else {
            throw .invalid(.issuer)
        }
        try checkAuthorizedParty(try payload.textOrNull("azp"))
        try checkAudience(payload["aud"])
        if try payload.textOrNull("sts")?.utf8.elementsEqual("pending".utf8) == true {
            throw .invalid(.sessionPending)
        }
        return claims
    }

    /// Checks the times. A cached token needs this check again.
    func checkTimes(of claims: Claims, at time: TokenTime) throws(TokenError) {
        guard time.now < claims.expiresAt + leeway else { throw .invalid(.expired) }
        if let longestLifetime, claims.expiresAt > time.wall + longestLifetime + leeway { throw .invalid(.lifetime) }
        if let notBefore = claims.notBefore, time.now < notBefore - leeway { throw .invalid(.notYetValid) }
        if let issuedAt = claims.issuedAt, time.now < issuedAt - leeway { throw .invalid(.issuedInTheFuture) }
    }

    private func checkAuthorizedParty(_ party: String?) throws(TokenError) {
        guard let authorizedParties else { return }
        guard let party, authorizedParties.contains(Array(party.utf8)) else { throw .invalid(.authorizedParty) }
    }

    /// Checks `aud`, a text or a list of texts (RFC 7519 section 4.1.3), one of which must be allowed.
    ///
    /// `null` counts as absent.
    private func checkAudience(_ claim: JSONValue?) throws(TokenError) {
        guard let claim, !claim.isNull else { return }
        var isOurs = false
        for element in claim.array ?? [claim] {
            guard let text = element.text else { throw .invalid(.claimMalformed) }
            if audiences.contains(Array(text.utf8)) { isOurs = true }
        }
        guard isOurs else { throw .invalid(.audience) }
    }
}

/// The time at which a token is judged, in seconds since 1970.
public struct TokenTime: Sendable {
    /// The time that decides whether the token is valid yet and has not expired.
    public let now: Double
    /// The wall clock, which limits how far `exp` may be in the future (docs/definitions.md section 7).
    public let wall: Double

    /// - Parameter wall: nil if it equals `now`.
    public init(_ now: Double, wall: Double? = nil) { (self.now, self.wall) = (now, wall ?? now) }
}

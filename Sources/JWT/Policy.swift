internal import JSON

/// Which tokens are accepted, beyond their signature.
public struct Policy: Sendable {
    private let issuer: [UInt8]
    private let authorizedParties: Set<[UInt8]>?
    private let leeway: Double

    /// A policy; all texts are compared byte by byte.
    ///
    /// - Parameters:
    ///   - issuer: the `iss` that a token must have.
    ///   - authorizedParties: the `azp` that a token may have; nil for any or none.
    ///   - leeway: by how many seconds the issuer's clock may differ from this machine's.
    public init(issuer: String, authorizedParties: [String]? = nil, leeway: Double = 5) {
        self.issuer = Array(issuer.utf8)
        self.authorizedParties = authorizedParties.map { Set($0.map { Array($0.utf8) }) }
        self.leeway = leeway
    }

    /// The claims of `payload`, if it passes.
    func claims(of payload: JSONObject, now: Double) throws(TokenError) -> Claims {
        let claims = try Claims(payload)
        try checkTimes(of: claims, now: now)
        guard let issuer = try payload.text("iss"), issuer.utf8.elementsEqual(self.issuer) else {
            throw .invalid(.issuer)
        }
        try checkAuthorizedParty(try payload.textOrNull("azp"))
        if try payload.textOrNull("sts")?.utf8.elementsEqual("pending".utf8) == true {
            throw .invalid(.sessionPending)
        }
        return claims
    }

    /// Checks what changes with time alone, and so has to be checked again for a token verified before.
    func checkTimes(of claims: Claims, now: Double) throws(TokenError) {
        guard now < claims.expiresAt + leeway else { throw .invalid(.expired) }
        if let notBefore = claims.notBefore, now < notBefore - leeway { throw .invalid(.notYetValid) }
        if let issuedAt = claims.issuedAt, now < issuedAt - leeway { throw .invalid(.issuedInTheFuture) }
    }

    private func checkAuthorizedParty(_ party: String?) throws(TokenError) {
        guard let authorizedParties else { return }
        guard let party, authorizedParties.contains(Array(party.utf8)) else { throw .invalid(.authorizedParty) }
    }
}

public import JWT

/// Who asks: a user whose session token has been verified.
public struct Principal: Sendable {
    /// The token's `sub`.
    public let subject: String
    /// The organization that the session is active in.
    public let organization: String?
    /// What else the token says, for whoever keeps a record.
    public let claims: Claims

    public init(_ claims: Claims) {
        subject = claims.subject
        organization = claims.organization
        self.claims = claims
    }
}

public import JWT

/// Who asks: a user whose session token has been verified.
public struct Principal: Sendable {
    /// The token's `sub`.
    public var subject: String { claims.subject }
    /// The organization that the session is active in.
    public var organization: String? { claims.organization }
    /// What else the token says, for whoever keeps a record.
    public let claims: Claims

    public init(_ claims: Claims) { self.claims = claims }
}

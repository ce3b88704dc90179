internal import JSON

/// The claims of a verified token, which identify the client.
///
/// This is a class, so that a request passes one reference and does not copy every text.
public final class Claims: Sendable {
    /// `sub`: the user.
    public let subject: String
    /// The organization that is active in the session. Nil if there is none.
    public let organization: String?
    /// `sid`: the session.
    public let sessionID: String?
    /// The user's role in the active organization.
    public let organizationRole: String?
    /// `act.sub`: the user who impersonates the subject.
    public let actor: String?
    /// `exp`, in seconds since 1970.
    public let expiresAt: Double
    /// `nbf`, in seconds since 1970.
    public let notBefore: Double?
    /// `iat`, in seconds since 1970.
    public let issuedAt: Double?

    /// The most characters (Unicode code points) of each text except the organization (docs/definitions.md section 7).
    static let longestText = 255
    /// The most characters of the organization's id (docs/definitions.md section 7).
    static let longestOrganization = 200

    public init(
        subject: String, organization: String? = nil, sessionID: String? = nil, organizationRole: String? = nil,
        actor: String? = nil, expiresAt: Double, notBefore: Double? = nil, issuedAt: Double? = nil
    ) {
        self.subject = subject
        self.organization = organization
        self.sessionID = sessionID
        self.organizationRole = organizationRole
        self.actor = actor
        self.expiresAt = expiresAt
        self.notBefore = notBefore
        self.issuedAt = issuedAt
    }

    /// The length of all texts together, in bytes.
    public var size: Int {
        [subject, organization, sessionID, organizationRole, actor].reduce(0) { $0 + ($1?.utf8.count ?? 0) }
    }

    /// True if `organization` is active in the session. Ids are compared byte by byte.
    public func isActive(in organization: String) -> Bool {
        self.organization?.utf8.elementsEqual(organization.utf8) ?? false
    }
}

extension Claims: Equatable {
    /// Compares texts byte by byte, since `String`'s `==` equates composed and decomposed letters.
    public static func == (a: Claims, b: Claims) -> Bool {
        a.texts == b.texts && a.expiresAt == b.expiresAt && a.notBefore == b.notBefore && a.issuedAt == b.issuedAt
    }

    private var texts: [[UInt8]?] {
        [subject, organization, sessionID, organizationRole, actor].map { $0.map { Array($0.utf8) } }
    }
}

extension Claims {
    /// Reads the claims of a Clerk session token with either version of its organization claims.
    ///
    /// An optional claim that is `null` counts as absent.
    convenience init(_ payload: JSONObject) throws(TokenError) {
        guard let expiresAt = payload["exp"]?.double else { throw .invalid(.expirationMissing) }
        guard let subject = try payload.text("sub"), !subject.isEmpty else { throw .invalid(.subjectMissing) }
        let isSecondVersion = payload["v"]?.double == 2
        let details = payload["o"]?.object
        let organization = isSecondVersion ? try details?.text("id") : try payload.text("org_id")
        self.init(
            subject: subject,
            organization: organization.flatMap { $0.isEmpty ? nil : $0 },
            sessionID: try payload.text("sid"),
            organizationRole: isSecondVersion ? try details?.text("rol") : try payload.text("org_role"),
            actor: try payload["act"]?.object?.text("sub"),
            expiresAt: expiresAt,
            notBefore: try payload.time("nbf"),
            issuedAt: try payload.time("iat"))
        try checkLengths()
    }

    /// Limits the length of each text, since all texts are cached, logged and recorded.
    private func checkLengths() throws(TokenError) {
        for text in [subject, sessionID, organizationRole, actor] {
            guard Self.isAtMost(Self.longestText, text) else { throw .invalid(.claimTooLong) }
        }
        guard Self.isAtMost(Self.longestOrganization, organization) else { throw .invalid(.claimTooLong) }
    }

    private static func isAtMost(_ length: Int, _ text: String?) -> Bool {
        guard let text, text.utf8.count > length else { return true }
        return text.unicodeScalars.count <= length
    }
}

extension JSONObject {
    /// The claim's text. Nil if the claim is absent or not a string.
    ///
    /// A string with a lone surrogate is refused, since its replacement elsewhere might equal another string.
    func text(_ name: String) throws(TokenError) -> String? {
        guard let value = self[name], case .string(let string) = value else { return nil }
        guard let text = string.text else { throw .invalid(.claimMalformed) }
        return text
    }

    /// The claim's text. Nil if the claim is absent or `null`. Any other value is refused.
    func textOrNull(_ name: String) throws(TokenError) -> String? {
        guard let value = self[name], !value.isNull else { return nil }
        guard let text = value.text else { throw .invalid(.claimMalformed) }
        return text
    }

    /// The claim's finite number. Nil if the claim is absent or `null`. Any other value is refused.
    fileprivate func time(_ name: String) throws(TokenError) -> Double? {
        guard let value = self[name], !value.isNull else { return nil }
        guard let time = value.double else { throw .invalid(.claimMalformed) }
        return time
    }
}

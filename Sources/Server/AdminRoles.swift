import JWT

/// The roles of administrators, `ADMIN_ROLES` (definitions.md section 7).
struct AdminRoles: Sendable {
    private let names: Set<[UInt8]>

    /// Clerk writes this before a role in tokens of the first version.
    private static let prefix = Array("org:".utf8)

    /// - Parameter names: without `org:`.
    init(_ names: [String] = ["admin"]) { self.names = Set(names.map { Array($0.utf8) }) }

    /// True if the role in the active organization is one of an administrator. Roles are compared byte by byte.
    func contains(_ claims: Claims) -> Bool {
        guard let role = claims.organizationRole.map({ Array($0.utf8) }) else { return false }
        return names.contains(role.starts(with: Self.prefix) ? Array(role.dropFirst(Self.prefix.count)) : role)
    }
}

import PostgreSQL

/// Whether the login of `DATABASE_URL` may be able to leave the role `DATABASE_ROLE` (running.md, `DATABASE_LOGIN`).
public enum DatabaseLogin: String, CaseIterable, Sendable {
    /// It may not: otherwise the start and `/ready` fail.
    case bound
    /// It may, with a warning.
    case any
}

extension FoundationWatch.Subject {
    /// Whether row-level security binds the login in any role (`sql/views/40_login.sql`).
    static func login(_ policy: DatabaseLogin) -> Self {
        Self(
            statement: Statement(name: "login_faults", sql: "SELECT f FROM re.login_faults(session_user) f"),
            code: .unboundLogin, pause: .seconds(10), purpose: "the login",
            wrong: "the login of DATABASE_URL could lay DATABASE_ROLE aside and see every organization",
            rightAgain: "the login of DATABASE_URL is bound again",
            unseen: "whether the login of DATABASE_URL is bound could not be looked at", isEnforced: policy == .bound)
    }
}

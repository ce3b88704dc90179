import PostgreSQL

/// Whether the login of `DATABASE_URL` may leave the role `DATABASE_ROLE` (docs/running.md, `DATABASE_LOGIN`).
public enum DatabaseLogin: String, CaseIterable, Sendable {
    /// The login must not be able to. Otherwise the start and `/ready` fail.
    case bound
    /// The login may be able to. This is logged as a warning.
    case any
}

extension FoundationWatch.Subject {
    /// The check that row-level security applies to the login in any role (`sql/views/40_login.sql`).
    static func login(_ policy: DatabaseLogin) -> Self {
        Self(
            statement: Statement(
                name: "login_faults",
                sql: "SELECT \(FoundationWatch.Column.selected) FROM re.login_faults(session_user) AS fault"),
            code: .unboundLogin, pause: .seconds(10), purpose: "the login",
            wrong: "the login of DATABASE_URL could leave DATABASE_ROLE and see every organization",
            rightAgain: "the login of DATABASE_URL is bound again",
            unseen: "the login of DATABASE_URL could not be checked", isEnforced: policy == .bound)
    }
}

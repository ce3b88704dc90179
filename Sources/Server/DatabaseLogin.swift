import PostgreSQL

/// What is asked of the login that `DATABASE_URL` names: whether it could lay `DATABASE_ROLE` aside (running.md,
/// `DATABASE_LOGIN`).
public enum DatabaseLogin: String, CaseIterable, Sendable {
    /// It must not: the start and `/ready` fail.
    case bound
    /// It may; that is warned of.
    case any
}

extension FoundationWatch.Subject {
    /// Whether the login is bound whatever it does (`sql/views/40_login.sql`).
    static func login(_ policy: DatabaseLogin) -> Self {
        Self(
            statement: Statement(name: "login_faults", sql: "SELECT f FROM re.login_faults(session_user) f"),
            code: .unboundLogin, pause: .seconds(10),
            wrong: "the login of DATABASE_URL could lay DATABASE_ROLE aside and see every organization",
            rightAgain: "the login of DATABASE_URL is bound again",
            unseen: "whether the login of DATABASE_URL is bound could not be looked at", isEnforced: policy == .bound)
    }
}

/// The parameters of each connection: the operator's connection string and the server's own settings.
public struct ConnectionParameters: Sendable {
    /// libpq's keywords and values (PostgreSQL documentation, section 34.1.2).
    let keywords: HostList.Keywords
    /// How long a statement may run before the server cancels it.
    public let statementTimeout: Duration
    /// The parameters for each host of a list, in the order in which the hosts are tried.
    var hosts: [ConnectionParameters] {
        alternatives.map { Self(keywords: $0, of: self) }
    }
    /// The number of hosts in the connection string. Each may be tried for several kinds of session.
    let hostCount: Int
    private let alternatives: [HostList.Keywords]
    /// An `sslmode` that the operator set for a network and that does not prove the database's identity. Nil otherwise.
    public let uncheckedTransport: String?

    /// Reads a connection string, a URI or `keyword=value` pairs, and adds the server's settings.
    ///
    /// - Parameters:
    ///   - role: the role of every connection. It is set in the start-up packet, so that it costs no round trip and
    ///     survives `RESET`.
    /// - Throws: ``InvalidConnectionString`` for a string that libpq cannot read or would refuse to connect with.
    public init(
        connectionString: String, role: String, statementTimeout: Duration
    ) throws(InvalidConnectionString) {
        let given = try ConnectionString(connectionString).keywords
        // A login, a database or the connection string may set any of these, and the responses depend on each of them.
        let settings = [
            ("role", role),
            ("statement_timeout", String(statementTimeout.milliseconds)),
            // statement_timeout is the one deadline of a statement, and the pool manages idle sessions.
            ("lock_timeout", "0"),
            ("idle_session_timeout", "0"),
            // Of two POST requests with the same idempotency key, the second waits and must see the first one's row.
            ("default_transaction_isolation", "read committed"),
            ("row_security", "on"),
            ("standard_conforming_strings", "on"),
            // The entries of the audit are arrays that contain NULL.
            ("array_nulls", "on"),
            // A search must not omit matches at random.
            ("gin_fuzzy_search_limit", "0"),
            // With another value, PostgreSQL logs the parameters of a failed statement, which include notes.
            ("log_parameter_max_length_on_error", "0"),
            // With other values, an error that a function handles ends the session, or the function is not compiled.
            ("exit_on_error", "off"),
            ("plpgsql.extra_errors", "none"),
            // A failed refresh is reported as a warning.
            ("client_min_messages", "warning"),
            // Planning these statements costs more than running them, and a plan must not depend on the first
            // caller's parameters.
            ("plan_cache_mode", "force_generic_plan"),
            // A plan outlives the statistics behind it. A table that was small enough for a scan may have grown.
            ("enable_seqscan", "off"),
            ("jit", "off"),
            ("search_path", "pg_catalog"),
            ("TimeZone", "UTC"),
            ("DateStyle", "ISO"),
        ]
        let ours = settings.map { "-c \($0.0)=\(Self.escapeOption($0.1))" }.joined(separator: " ")
        var keywords = given.filter { $0.keyword != "options" }
        let theirs = given.first { $0.keyword == "options" }.map { $0.value + " " } ?? ""
        keywords.append(("options", theirs + ours))
        keywords.append(("client_encoding", "UTF8"))
        let defaults = [("application_name", "reengagement-api")] + Self.deadPeer(after: statementTimeout)
        keywords += defaults.filter { standard in !given.contains { $0.keyword == standard.0 } }
        guard let list = HostList(keywords) else {
            throw InvalidConnectionString("lists hosts, addresses and ports in different numbers")
        }
        let transport = TransportSecurity(given)
        let isChecked = transport.checksByDefault(list.alternatives)
        let namesUser = given.contains { $0.keyword == "user" }
        try OptionCheck(keywords + (isChecked ? [TransportSecurity.checked] : []))?
            .run(namesUser: namesUser, usesTLS: list.isOverNetwork || isChecked, isCheckedByDefault: isChecked)
        var secured: [HostList.Keywords] = []
        for host in list.alternatives { secured.append(try transport.secured(host)) }
        uncheckedTransport = transport.weakness(list.alternatives)
        alternatives = secured
        hostCount = list.count
        self.keywords = keywords
        self.statementTimeout = statementTimeout
    }

    private init(keywords: HostList.Keywords, of whole: ConnectionParameters) {
        self.keywords = keywords
        hostCount = whole.hostCount
        alternatives = [keywords]
        uncheckedTransport = whole.uncheckedTransport
        statementTimeout = whole.statementTimeout
    }

    /// The settings by which the kernel closes the connection to a host that does not respond.
    ///
    /// It closes the connection if sent data are unacknowledged for the statement timeout, or if the host does not
    /// respond for half a minute without traffic.
    private static func deadPeer(after statementTimeout: Duration) -> HostList.Keywords {
        [
            ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", String(statementTimeout.milliseconds)),
        ]
    }

    /// Escapes a value inside `options`, where spaces separate options and a backslash escapes a character.
    private static func escapeOption(_ value: String) -> String {
        value.reduce(into: "") { escaped, character in
            if character == "\\" || character.isWhitespace { escaped.append("\\") }
            escaped.append(character)
        }
    }
}

extension Duration {
    /// Whole milliseconds, rounded down.
    var milliseconds: Int64 {
        components.seconds * 1000 + components.attoseconds / 1_000_000_000_000_000
    }
}

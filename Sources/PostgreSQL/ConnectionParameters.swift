import CPostgreSQL

/// How each connection is made: the operator's connection string and what the server adds to it.
public struct ConnectionParameters: Sendable {
    /// Keywords and values of libpq, section 34.1.2 of PostgreSQL's documentation.
    let keywords: HostList.Keywords
    /// After this long the server cancels a statement itself.
    public let statementTimeout: Duration
    /// The same for each host of a list by itself, in the order in which they are to be asked.
    var hosts: [ConnectionParameters] {
        alternatives.map { ConnectionParameters(keywords: $0, alternatives: [$0], statementTimeout: statementTimeout) }
    }
    private let alternatives: [HostList.Keywords]

    /// Reads a connection string, a URI or `keyword=value` pairs, and adds the server's settings.
    ///
    /// - Parameters:
    ///   - role: the role that every connection becomes, set in the start-up packet, so that it costs no
    ///     round trip and survives `RESET`.
    /// - Throws: ``InvalidConnectionString``, without libpq's own words: they may quote the password.
    public init(
        connectionString: String, role: String, statementTimeout: Duration
    ) throws(InvalidConnectionString) {
        let given = try Self.parse(connectionString)
        let settings = [
            ("role", role),
            ("statement_timeout", String(statementTimeout.milliseconds)),
            // Planning these statements costs more than running them, and a plan must not depend on who asked first.
            ("plan_cache_mode", "force_generic_plan"),
            // A plan outlives the statistics that it was made by: a small table read through may have grown.
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
        guard let list = HostList(keywords) else { throw InvalidConnectionString() }
        self.init(keywords: keywords, alternatives: list.alternatives, statementTimeout: statementTimeout)
    }

    private init(keywords: HostList.Keywords, alternatives: [HostList.Keywords], statementTimeout: Duration) {
        self.keywords = keywords
        self.alternatives = alternatives
        self.statementTimeout = statementTimeout
    }

    /// When the kernel gives up a host that has vanished without a word: what was sent is not confirmed for as long
    /// as a statement may take, or, where nothing is sent, for half a minute.
    private static func deadPeer(after statementTimeout: Duration) -> HostList.Keywords {
        [
            ("keepalives_idle", "15"), ("keepalives_interval", "5"), ("keepalives_count", "3"),
            ("tcp_user_timeout", String(statementTimeout.milliseconds)),
        ]
    }

    /// A connection string that libpq cannot read.
    public struct InvalidConnectionString: Error {}

    private static func parse(_ text: String) throws(InvalidConnectionString) -> [(keyword: String, value: String)] {
        guard let options = PQconninfoParse(text, nil) else { throw InvalidConnectionString() }
        defer { PQconninfoFree(options) }
        var found: [(keyword: String, value: String)] = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { found.append((String(cString: keyword), String(cString: value))) }
            option += 1
        }
        guard found.allSatisfy({ $0.keyword != "port" || arePorts($0.value) }) else { throw InvalidConnectionString() }
        return found
    }

    /// libpq looks at a port no sooner than it connects, when a wrong one would pass for a database that is away.
    private static func arePorts(_ list: String) -> Bool {
        list.split(separator: ",", omittingEmptySubsequences: false).allSatisfy { port in
            port.isEmpty || UInt16(port).map { $0 > 0 } ?? false
        }
    }

    /// Escapes a value inside `options`, where spaces separate and a backslash escapes.
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

import Testing

@testable import PostgreSQL

@Suite("Connection parameters")
struct ConnectionParametersTests {
    @Test(
        "refuse what libpq cannot read or could not connect with, without repeating it",
        arguments: [
            "host=x secret", "postgresql://h:port/x", "host=a,b port=5432,0", "port=65536", "port=-1",
            "host=a,b port=1,2,3", "host=a,b hostaddr=127.0.0.1", "target_session_attrs=fast",
        ])
    func invalid(text: String) {
        #expect(throws: ConnectionParameters.InvalidConnectionString.self) {
            try ConnectionParameters(connectionString: text, role: "r", statementTimeout: .seconds(1))
        }
    }

    @Test(
        "take one port for each host, or the default",
        arguments: ["host=a,b port=5432,", "postgresql://h1:1,h2:65535/x"])
    func ports(text: String) throws {
        _ = try ConnectionParameters(connectionString: text, role: "r", statementTimeout: .seconds(1))
    }

    @Test("keep the operator's own options and add the server's after them")
    func options() throws {
        let parameters = try ConnectionParameters(
            connectionString: "postgresql://h1,h2/db?options=-c%20geqo%3Doff", role: #"odd \role"#,
            statementTimeout: .milliseconds(1500))
        let options = try #require(parameters.keywords.first { $0.keyword == "options" }?.value)
        #expect(options.hasPrefix("-c geqo=off -c role=odd\\ \\\\role "))
        #expect(options.contains("-c statement_timeout=1500 "))
        #expect(parameters.keywords.first { $0.keyword == "host" }?.value == "h1,h2")
    }

    private func hosts(_ text: String) throws -> [[String: String]] {
        let parameters = try ConnectionParameters(connectionString: text, role: "r", statementTimeout: .seconds(2))
        return parameters.hosts.map { Dictionary(uniqueKeysWithValues: $0.keywords.map { ($0.keyword, $0.value) }) }
    }

    @Test("ask each host of a list by itself, for the one that takes writes")
    func hostList() throws {
        let hosts = try hosts("postgresql://me@h1:5432,h2:6432/db")
        #expect(hosts.map { $0["host"] } == ["h1", "h2"])
        #expect(hosts.map { $0["port"] } == ["5432", "6432"])
        #expect(hosts.allSatisfy { $0["target_session_attrs"] == "read-write" && $0["user"] == "me" })
        #expect(try self.hosts("host=a,b port=7").map { $0["port"] } == ["7", "7"])
    }

    @Test("leave one host, and what the operator wants of a list, as they are")
    func sessions() throws {
        #expect(try hosts("host=h")[0]["target_session_attrs"] == nil)
        #expect(try hosts("host=a,b target_session_attrs=any").map { $0["target_session_attrs"] } == ["any", "any"])
        let preferring = try hosts("host=a,b target_session_attrs=prefer-standby")
        #expect(preferring.map { $0["host"] } == ["a", "b", "a", "b"])
        #expect(preferring.map { $0["target_session_attrs"] } == ["standby", "standby", "any", "any"])
    }

    @Test("have the kernel notice a host that vanished, at times that the operator may set")
    func deadPeer() throws {
        let standard = try hosts("host=h")[0]
        #expect(standard["tcp_user_timeout"] == "2000")
        #expect(standard["keepalives_idle"] == "15")
        #expect(try hosts("host=h keepalives_idle=60")[0]["keepalives_idle"] == "60")
    }
}

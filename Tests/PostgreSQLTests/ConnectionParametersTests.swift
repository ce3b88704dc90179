import Testing

@testable import PostgreSQL

@Suite("Connection parameters")
struct ConnectionParametersTests {
    /// Adds sslmode=prefer if no sslmode is named, so that no certificate is needed.
    private func naming(_ text: String) -> String {
        guard !text.contains("sslmode") else { return text }
        guard text.hasPrefix("postgres") else { return text + " sslmode=prefer" }
        return text + (text.split(separator: "/").last?.contains("?") ?? false ? "&" : "?") + "sslmode=prefer"
    }

    private func problem(_ text: String) -> String? { unnamedProblem(naming(text)) }

    private func unnamedProblem(_ text: String) -> String? {
        do throws(InvalidConnectionString) {
            _ = try ConnectionParameters(connectionString: text, role: "r", statementTimeout: .seconds(1))
            return nil
        } catch {
            return error.problem
        }
    }

    @Test(
        "A string that libpq cannot read or connect with is refused and not quoted",
        arguments: [
            ("host=x SECRET", "libpq"), ("postgresql://h:SECRET/x", "port"), ("host=a,b port=5432,0", "port"),
            ("port=65536", "port"), ("port=-1", "port"), ("host=a,b port=1,2,3", "numbers"),
            ("host=a,b hostaddr=127.0.0.1", "numbers"), ("hostaddr=SECRET", "hostaddr"),
            ("hostaddr=127.1.1.300", "hostaddr"),
            // The rest of a password that is not percent-encoded.
            ("postgresql://u:a@SECRET@h/d", "a host that holds @"), ("postgres://u:a@@h/d", "a host that holds @"),
            ("postgresql://u:a@SEC,RET@h/d", "a host that holds @"),
            ("postgresql://u:a?b@SECRET@h/d", "a host that holds @"),
            ("postgresql://u:a@SECRET/b@h/d", "a database's name that holds @"),
            ("postgresql://u:12/SECRET@h/d", "a database's name that holds @"),
            ("postgresql://u:a/SECRET@h/d", "a database's name that holds @"),
            ("postgresql://u:a@SECRET:1@h/d", "port"), ("postgresql://u:a@SECRET?b@h/d", "libpq"),
            ("postgresql://u:a%SECRET@h/d", "libpq"), ("postgresql://u:a@[SECRET@h/d", "libpq"),
            ("host=h password=a SECRET", "libpq"), ("host=h password=a SECRET=b", "libpq"),
            ("host=h password='a", "libpq"),
            ("host=SECRET@h", "a host that holds @"), ("hostaddr=a@SECRET", "a host that holds @"),
            ("host=h no_such_option=SECRET", "libpq"),
        ])
    func invalid(text: String, words: String) throws {
        let found = try #require(problem(text))
        #expect(found.contains(words), "\(found)")
        #expect(!found.contains("SEC") && !found.contains("RET") && !found.contains("\n"))
    }

    @Test(
        "A correctly encoded password is accepted",
        arguments: [
            "postgresql://u:a%40b%2Fc@h/d", "postgresql://u:a?b#c:[d@h/d", "host=h password='a b@c'",
            "host=h password=a@b",
            "host=/run/a@b", "postgresql://h/d?user=me@tenant&password=p@ss", "host=h dbname=a@b",
        ])
    func password(text: String) {
        #expect(problem(text) == nil)
    }

    @Test(
        "The installed libpq checks the options that it reads only when it connects",
        arguments: [
            ("sslmode=no-verify", "sslmode"), ("gssencmode=SECRET", "gssencmode"),
            ("channel_binding=1", "channel_binding"),
            ("ssl_min_protocol_version=TLS1.2", "ssl_min_protocol_version"),
            ("ssl_max_protocol_version=SECRET", "ssl_max_protocol_version"),
            ("target_session_attrs=fast", "target_session_attrs"),
            ("keepalives=yes", "keepalives"), ("keepalives_idle=1m", "keepalives_idle"),
            ("keepalives_interval=x", "keepalives_interval"), ("keepalives_count=1.5", "keepalives_count"),
            ("keepalives_idle=99999999", "keepalives_idle"), ("tcp_user_timeout=5s", "tcp_user_timeout"),
            ("connect_timeout=5s", "connect_timeout"), ("replication=database", "replication"),
            ("service=SECRET", "service"),
            ("ssl_min_protocol_version=TLSv1.3 ssl_max_protocol_version=TLSv1.2", "ssl_max_protocol_version"),
            ("sslmode=no-verify gssencmode=x", "gssencmode"), ("gssencmode=x sslmode=no-verify", "sslmode"),
            ("sslrootcert=/nonexistent/SECRET", "sslrootcert"), ("sslcert=/nonexistent/SECRET", "sslcert"),
            ("sslkey=/nonexistent/SECRET", "sslkey"), ("sslcrl=/nonexistent/SECRET", "sslcrl"),
            ("sslcrldir=/nonexistent/SECRET", "sslcrldir"), ("passfile=/nonexistent/SECRET", "passfile"),
            ("passfile=/etc/passwd", "0600"), ("sslmode=verify-full sslrootcert=/dev/null", "sslrootcert"),
            ("sslmode=verify-ca sslrootcert=/etc/passwd", "sslrootcert"),
            ("sslmode=require sslcert=/etc/passwd", "sslcert"),
        ])
    func options(text: String, words: String) throws {
        for host in ["host=h", "host=a,b", "hostaddr=192.0.2.1", "host=[SECRET"] {
            let found = try #require(problem("\(host) user=u \(text)"))
            #expect(found.contains(words), "\(found)")
            #expect(!found.contains("SECRET") && !found.contains("\n"))
        }
    }

    @Test(
        "Valid options are accepted without contact to a database, including those that its sockets do not use",
        arguments: [
            "host=192.0.2.1 sslmode=require gssencmode=disable channel_binding=require", "host=h sslmode=prefer",
            "host=/nonexistent sslmode=verify-full sslrootcert=/dev/null",
            "host=h sslmode=disable sslrootcert=/dev/null",
            "host=h keepalives=0 tcp_user_timeout=0 connect_timeout=5", "host=h ssl_min_protocol_version=TLSv1.3",
            "host=h replication=off", "host=h gssencmode=require",
            "host=h sslcompression=0 sslsni=1 krbsrvname=postgres",
        ])
    func goodOptions(text: String) {
        #expect(problem("user=u " + text) == nil)
    }

    @Test(
        "One port for each host, or the default, is accepted",
        arguments: ["host=a,b port=5432,", "postgresql://h1:1,h2:65535/x"])
    func ports(text: String) throws {
        _ = try ConnectionParameters(connectionString: naming(text), role: "r", statementTimeout: .seconds(1))
    }

    @Test("The server's options follow the operator's")
    func options() throws {
        let parameters = try ConnectionParameters(
            connectionString: naming("postgresql://h1,h2/db?options=-c%20geqo%3Doff"), role: #"odd \role"#,
            statementTimeout: .milliseconds(1500))
        let options = try #require(parameters.keywords.first { $0.keyword == "options" }?.value)
        #expect(options.hasPrefix("-c geqo=off -c role=odd\\ \\\\role "))
        #expect(options.contains("-c statement_timeout=1500 "))
        #expect(parameters.keywords.first { $0.keyword == "host" }?.value == "h1,h2")
    }

    private func hosts(_ text: String) throws -> [[String: String]] {
        let parameters = try ConnectionParameters(
            connectionString: naming(text), role: "r", statementTimeout: .seconds(2))
        return parameters.hosts.map { Dictionary(uniqueKeysWithValues: $0.keywords.map { ($0.keyword, $0.value) }) }
    }

    @Test("Each host of a list is tried by itself, for a session that accepts writes")
    func hostList() throws {
        let hosts = try hosts("postgresql://me@h1:5432,h2:6432/db")
        #expect(hosts.map { $0["host"] } == ["h1", "h2"])
        #expect(hosts.map { $0["port"] } == ["5432", "6432"])
        #expect(hosts.allSatisfy { $0["target_session_attrs"] == "read-write" && $0["user"] == "me" })
        #expect(try self.hosts("host=a,b port=7").map { $0["port"] } == ["7", "7"])
    }

    @Test("A single host and the operator's target_session_attrs stay unchanged")
    func sessions() throws {
        #expect(try hosts("host=h")[0]["target_session_attrs"] == nil)
        #expect(try hosts("host=a,b target_session_attrs=any").map { $0["target_session_attrs"] } == ["any", "any"])
        let preferring = try hosts("host=a,b target_session_attrs=prefer-standby")
        #expect(preferring.map { $0["host"] } == ["a", "b", "a", "b"])
        #expect(preferring.map { $0["target_session_attrs"] } == ["standby", "standby", "any", "any"])
    }

    @Test("The kernel detects a host that vanished, with times that the operator may set")
    func deadPeer() throws {
        let standard = try hosts("host=h")[0]
        #expect(standard["tcp_user_timeout"] == "2000")
        #expect(standard["keepalives_idle"] == "15")
        #expect(try hosts("host=h keepalives_idle=60")[0]["keepalives_idle"] == "60")
    }

    private static let authorities = "sslrootcert=/etc/ssl/certs/ca-certificates.crt"

    private func modes(_ text: String) throws -> [String?] {
        let parameters = try ConnectionParameters(connectionString: text, role: "r", statementTimeout: .seconds(1))
        return parameters.hosts.map { host in host.keywords.last { $0.keyword == "sslmode" && !$0.value.isEmpty }?.value
        }
    }

    @Test(
        "The server's certificate is checked over a network by default, and not on this machine",
        arguments: [
            ("host=db.example.com", ["verify-full"]), ("host=db hostaddr=192.0.2.1", ["verify-full"]),
            ("host=127.example.com", ["verify-full"]),
            ("host=localhost hostaddr=192.0.2.1", ["verify-full"]), ("host=192.0.2.1 sslmode=''", ["verify-full"]),
            ("host=0.0.0.0", ["verify-full"]), ("host=::", ["verify-full"]),
            ("host=localhost.example.com", ["verify-full"]),
            ("host=localhost,/run/postgresql,db,::1,127.0.0.9", [nil, nil, "verify-full", nil, nil]),
            ("host=db,127.0.0.1 target_session_attrs=prefer-standby", ["verify-full", nil, "verify-full", nil]),
            ("host=db hostaddr=127.0.0.1", [nil]), ("host=LOCALHOST", [nil]), ("host=/run/postgresql", [nil]),
            ("dbname=x", [nil]),
            ("host=db sslmode=disable", ["disable"]), ("host=db sslmode=prefer", ["prefer"]),
            ("host=db sslmode=verify-full", ["verify-full"]),
        ])
    func defaultMode(text: String, expected: [String?]) throws {
        #expect(try modes("user=u \(Self.authorities) \(text)") == expected)
    }

    @Test(
        "A weaker sslmode that the operator sets for a network is reported",
        arguments: [
            ("host=db sslmode=require", "require"), ("host=a,localhost sslmode=verify-ca", "verify-ca"),
            ("host=db sslmode=disable", "disable"),
            ("host=db sslmode=verify-full", nil), ("host=db", nil), ("host=localhost sslmode=disable", nil),
            ("host=/run sslmode=disable", nil),
        ])
    func weakMode(text: String, expected: String?) throws {
        let parameters = try ConnectionParameters(
            connectionString: "user=u \(Self.authorities) \(text)", role: "r", statementTimeout: .seconds(1))
        #expect(parameters.uncheckedTransport == expected)
    }

    @Test("The error names the setting that a check by default needs")
    func missingAuthorities() throws {
        let found = try #require(unnamedProblem("host=SECRET user=u sslrootcert=/dev/null"))
        #expect(found.contains("verify-full") && found.contains("sslrootcert") && found.contains("by name"), "\(found)")
        #expect(!found.contains("SECRET"))
        let address = try #require(unnamedProblem("hostaddr=192.0.2.1 user=u \(Self.authorities)"))
        #expect(address.contains("hostaddr") && address.contains("verify-full"), "\(address)")
    }
}

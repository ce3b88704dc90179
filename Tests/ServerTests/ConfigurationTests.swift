import JWT
import Logging
import PostgreSQL
import Testing

@testable import Server

@Suite("The configuration")
struct ConfigurationTests {
    private let key: String
    /// The required variables only.
    private let least: [String: String]

    init() throws {
        key = try SigningKey.shared.get().publicPEM
        least = ["DATABASE_URL": "host=/nonexistent", "CLERK_JWT_KEY": key, "CLERK_ISSUER": testIssuer]
    }

    private func read(_ changes: [String: String?] = [:], cores: Int = 2) throws -> Configuration {
        var environment = least
        for (name, value) in changes { environment[name] = value }
        return try Configuration(environment: environment, cores: cores, processID: 4711)
    }

    private func errors(_ changes: [String: String?]) -> [ConfigurationError] {
        do {
            _ = try read(changes)
            return []
        } catch {
            return (error as? ConfigurationErrors)?.list ?? []
        }
    }

    /// The variables with errors.
    private func variables(_ changes: [String: String?]) -> [String] { errors(changes).map(\.variable) }

    @Test("The defaults are those of the contract")
    func defaults() throws {
        let configuration = try read()
        #expect(configuration.workers == 4)
        #expect(configuration.poolSize == 5)
        #expect(configuration.acquireTimeout == .seconds(2))
        #expect(configuration.connection.statementTimeout == .seconds(5))
        #expect(configuration.listen == .address(.unix(path: ".local/run/reengagement.sock")))
        #expect(configuration.keys == .pem(key))
        #expect(configuration.rateLimit == 50)
        #expect(configuration.answerCacheBytes == 16_777_216)
        #expect(configuration.allowedOrigins == [])
        #expect(configuration.logLevel == .info)
        #expect(configuration.logFormat == .json)
        #expect(configuration.slowRequest == .milliseconds(500))
    }

    @Test("A contact for security reports is published only if it is configured")
    func securityText() throws {
        #expect(try read().securityText == nil)
        #expect(try read(["SECURITY_CONTACT": "", "PUBLIC_URL": "https://api.example.test"]).securityText == nil)
        let site = try read(["SECURITY_CONTACT": "a@b.example", "PUBLIC_URL": "https://api.example.test"]).securityText
        #expect(site == SecurityText(contact: "mailto:a@b.example", site: "https://api.example.test"))
        // RFC 9116, section 2.5.2, requires https.
        let local = try read(["SECURITY_CONTACT": "a@b.example", "PUBLIC_URL": "http://localhost:8000"]).securityText
        #expect(local == SecurityText(contact: "mailto:a@b.example", site: nil))
        #expect(variables(["SECURITY_CONTACT": "a@b.example\nX: y"]) == ["SECURITY_CONTACT"])
        for url in [
            "http://api.example.test", "https://api.example.test/", "api.example.test", "https://x@y",
            "https://*.example.test",
        ] {
            #expect(variables(["PUBLIC_URL": url]) == ["PUBLIC_URL"], "\(url)")
        }
    }

    @Test("Administrators, webhooks and the public address are configured")
    func settings() throws {
        let standard = try read()
        #expect(standard.adminRoles == ["admin"] && standard.publicURL == nil)
        #expect(standard.webhooks.keys == nil && !standard.webhooks.allowsPrivate)
        #expect(try read(["ADMIN_ROLES": "owner, practice_manager"]).adminRoles == ["owner", "practice_manager"])
        for roles in ["org:admin", "admin,org:owner", "admin,", ","] {
            #expect(variables(["ADMIN_ROLES": roles]) == ["ADMIN_ROLES"], "\(roles)")
        }
        #expect(try read(["WEBHOOK_ALLOW_PRIVATE": "1"]).webhooks.allowsPrivate)
        #expect(try !read(["WEBHOOK_ALLOW_PRIVATE": "0"]).webhooks.allowsPrivate)
        for value in ["2", "yes", "true", "01"] {
            #expect(variables(["WEBHOOK_ALLOW_PRIVATE": value]) == ["WEBHOOK_ALLOW_PRIVATE"])
        }
        for path in ["/nonexistent", "/tmp", "/dev/null", "/etc/passwd"] {
            #expect(variables(["SECRETS_KEY_FILE": path]) == ["SECRETS_KEY_FILE"])
        }
        #expect(try read(["PUBLIC_URL": "http://localhost:8000"]).publicURL == "http://localhost:8000")
    }

    @Test("LOG_SLOW_MS=0 turns off the log of slow requests")
    func slow() throws {
        #expect(try read(["LOG_SLOW_MS": "0"]).slowRequest == nil)
        #expect(try read(["LOG_SLOW_MS": "1"]).slowRequest == .milliseconds(1))
        #expect(variables(["LOG_SLOW_MS": "-1"]) == ["LOG_SLOW_MS"])
    }

    @Test("By default there are two workers per core, at least four, and one connection more than workers")
    func cores() throws {
        for (cores, workers) in [(1, 4), (2, 4), (3, 6), (16, 32)] {
            #expect(try read(cores: cores).workers == workers)
            #expect(try read(cores: cores).poolSize == workers + 1)
        }
        #expect(try read(["WORKER_THREADS": "3"], cores: 16).poolSize == 4)
    }

    @Test(
        "Each number is accepted from its least to its greatest value, and refused beyond",
        arguments: [
            ("WORKER_THREADS", 1, 512), ("DB_POOL_SIZE", 1, 1000), ("DB_ACQUIRE_TIMEOUT_MS", 1, 600_000),
            ("DB_STATEMENT_TIMEOUT_MS", 1, 600_000), ("RATE_LIMIT", 0, 1_000_000),
            ("ANSWER_CACHE_BYTES", 0, 16_777_216),
            ("AUDIT_DAILY_MB", 1, 1_000_000), ("IDLE_LOGOFF_MIN", 1, 1440),
        ])
    func numbers(variable: String, least: Int, greatest: Int) throws {
        for value in [least, greatest] {
            let configuration = try read([variable: "\(value)"])
            let found =
                switch variable {
                case "WORKER_THREADS": configuration.workers
                case "DB_POOL_SIZE": configuration.poolSize
                case "DB_ACQUIRE_TIMEOUT_MS": Int(configuration.acquireTimeout / .milliseconds(1))
                case "DB_STATEMENT_TIMEOUT_MS": Int(configuration.connection.statementTimeout / .milliseconds(1))
                case "ANSWER_CACHE_BYTES": configuration.answerCacheBytes
                case "AUDIT_DAILY_MB": configuration.auditDailyMegabytes
                case "IDLE_LOGOFF_MIN": configuration.idleLogoffMinutes
                default: configuration.rateLimit
                }
            #expect(found == value)
        }
        for value in [
            "\(least - 1)", "\(greatest + 1)", "-1", "+1", "1.5", "1e3", "0x10", " 1", "1 ", "one", "1,000", "١",
            "99999999999999999999",
        ] {
            #expect(variables([variable: value]) == [variable])
            #expect(errors([variable: value]).first?.problem == "must be a whole number from \(least) to \(greatest)")
        }
    }

    @Test("An empty variable counts as unset")
    func empty() throws {
        let optional = [
            "WORKER_THREADS", "DB_POOL_SIZE", "DB_ACQUIRE_TIMEOUT_MS", "DB_STATEMENT_TIMEOUT_MS", "DATABASE_ROLE",
            "DATABASE_LOGIN", "FCGI_LISTEN", "RATE_LIMIT", "ANSWER_CACHE_BYTES", "AUDIT_DAILY_MB", "IDLE_LOGOFF_MIN",
            "CORS_ALLOWED_ORIGINS", "LOG_LEVEL", "LOG_FORMAT", "LOG_SLOW_MS", "CLERK_JWKS_FILE", "CLERK_JWKS_URL",
            "AUDIT", "CLERK_JWKS_CA_FILE", "CLERK_AUTHORIZED_PARTIES", "LISTEN_FDS", "LISTEN_PID", "ADMIN_ROLES",
            "SECRETS_KEY_FILE", "WEBHOOK_ALLOW_PRIVATE", "PUBLIC_URL",
        ]
        let configuration = try read(Dictionary(uniqueKeysWithValues: optional.map { ($0, "") }))
        #expect(
            configuration.workers == 4 && configuration.rateLimit == 50 && configuration.auditDailyMegabytes == 500
                && configuration.logLevel == .info)
        #expect(configuration.idleLogoffMinutes == 15)
        for variable in ["DATABASE_URL", "CLERK_ISSUER", "CLERK_JWT_KEY"] {
            #expect(variables([variable: ""]) == [variable])
            #expect(variables([variable: nil]) == [variable])
        }
    }

    @Test("Any connection string of libpq is accepted, and a role of at most 63 bytes")
    func database() throws {
        for text in [
            "postgres://u:p@a,b:5433/db?sslmode=prefer", "host=a,b port=1,2 dbname='x y' sslmode=prefer", "dbname=x",
        ] {
            #expect(variables(["DATABASE_URL": text]) == [])
        }
        for text in ["host=x secret", "postgres://[", "nonsense=1", "host='x"] {
            #expect(variables(["DATABASE_URL": text]) == ["DATABASE_URL"])
        }
        #expect(variables(["DATABASE_ROLE": String(repeating: "r", count: 63)]) == [])
        #expect(variables(["DATABASE_ROLE": String(repeating: "r", count: 64)]) == ["DATABASE_ROLE"])
        #expect(variables(["DATABASE_ROLE": String(repeating: "é", count: 32)]) == ["DATABASE_ROLE"])
    }

    @Test("The server listens on the configured address")
    func listen() throws {
        #expect(try read(["FCGI_LISTEN": "/run/x.sock"]).listen == .address(.unix(path: "/run/x.sock")))
        #expect(try read(["FCGI_LISTEN": "127.0.0.1:9000"]).listen == .address(.tcp(host: "127.0.0.1", port: 9000)))
        for text in [":9000", "host:0", "host:65536", "/" + String(repeating: "x", count: 107)] {
            #expect(variables(["FCGI_LISTEN": text]) == ["FCGI_LISTEN"])
            #expect(variables(["LIVE_LISTEN": text]) == ["LIVE_LISTEN"])
        }
        #expect(try read().liveListen == .address(.unix(path: ".local/run/live.sock")))
        #expect(try read(["LIVE_LISTEN": "127.0.0.1:9001"]).liveListen == .address(.tcp(host: "127.0.0.1", port: 9001)))
        for text in ["/run/x.sock", "127.0.0.1:9000"] {
            #expect(variables(["FCGI_LISTEN": text, "LIVE_LISTEN": text]) == ["LIVE_LISTEN"])
        }
    }

    @Test("An inherited socket is used if it was meant for this process")
    func inherited() throws {
        #expect(try read(["LISTEN_FDS": "1"]).listen == .inherited(descriptor: 3))
        #expect(try read(["LISTEN_FDS": "1", "LISTEN_PID": "4711"]).listen == .inherited(descriptor: 3))
        #expect(try read(["LISTEN_FDS": "1", "FCGI_LISTEN": "/x"]).listen == .inherited(descriptor: 3))
        for (count, process) in [("1", "4712"), ("2", "1"), ("x", "0"), ("1", "x")] {
            let changes = ["LISTEN_FDS": count, "LISTEN_PID": process, "FCGI_LISTEN": "/x"]
            #expect(try read(changes).listen == .address(.unix(path: "/x")))
        }
        #expect(try read(["LISTEN_PID": "4711"]).listen == .address(.unix(path: ".local/run/reengagement.sock")))
        for count in ["0", "3", "-1", "one", "01"] { #expect(variables(["LISTEN_FDS": count]) == ["LISTEN_FDS"]) }
        #expect(try read(["LISTEN_FDS": "1", "LIVE_LISTEN": "/l"]).liveListen == .address(.unix(path: "/l")))
    }

    @Test("Of two inherited sockets each is used for what its name says, and one is that of FastCGI")
    func inheritedNames() throws {
        for (names, fastCGI, live) in [("fcgi:live", CInt(3), CInt(4)), ("live:fcgi", 4, 3)] {
            let configuration = try read(["LISTEN_FDS": "2", "LISTEN_FDNAMES": names, "LIVE_LISTEN": "/l"])
            #expect(configuration.listen == .inherited(descriptor: fastCGI))
            #expect(configuration.liveListen == .inherited(descriptor: live))
        }
        for names in ["", "fcgi", "live", "fcgi:fcgi", "live:live", "fcgi:live:x", "FCGI:live", "a:b"] {
            #expect(variables(["LISTEN_FDS": "2", "LISTEN_FDNAMES": names]) == ["LISTEN_FDNAMES"])
        }
        for names in ["fcgi", "reengagement-api.socket", "unknown"] {
            let configuration = try read(["LISTEN_FDS": "1", "LISTEN_FDNAMES": names])
            #expect(configuration.listen == .inherited(descriptor: 3))
        }
        #expect(variables(["LISTEN_FDS": "1", "LISTEN_FDNAMES": "live"]) == ["LISTEN_FDNAMES"])
    }

    @Test("Exactly one source of keys must be configured")
    func keySources() throws {
        let url = "https://clerk.example.test/.well-known/jwks.json"
        let sources = ["CLERK_JWT_KEY": key, "CLERK_JWKS_FILE": "/nonexistent", "CLERK_JWKS_URL": url]
        for (one, _) in sources {
            for (other, _) in sources where other != one {
                var changes: [String: String?] = ["CLERK_JWT_KEY": nil]
                changes[one] = sources[one]
                changes[other] = sources[other]
                #expect(errors(changes).map(\.problem).contains { $0.contains("exactly one of the three") })
            }
        }
        #expect(errors(["CLERK_JWT_KEY": nil]).first?.description.contains("CLERK_JWKS_URL: exactly one") == true)
        let fetched = try read(["CLERK_JWT_KEY": nil, "CLERK_JWKS_URL": url])
        #expect(fetched.keys == .jwksURL(url, caFile: nil))
    }

    @Test("An unusable source of keys is named in the error")
    func brokenKeys() {
        #expect(variables(["CLERK_JWT_KEY": "not a key"]) == ["CLERK_JWT_KEY"])
        #expect(variables(["CLERK_JWT_KEY": nil, "CLERK_JWKS_FILE": "/nonexistent/jwks.json"]) == ["CLERK_JWKS_FILE"])
        for url in [
            "http://clerk.example.test/jwks", "clerk.example.test", "https://", "https://u:p@clerk.example.test/",
        ] {
            #expect(variables(["CLERK_JWT_KEY": nil, "CLERK_JWKS_URL": url]) == ["CLERK_JWKS_URL"])
        }
        let changes = [
            "CLERK_JWT_KEY": nil, "CLERK_JWKS_URL": "https://clerk.example.test/",
            "CLERK_JWKS_CA_FILE": "/nonexistent/ca.pem",
        ]
        #expect(variables(changes) == ["CLERK_JWKS_CA_FILE"])
    }

    @Test("The policy has the issuer and the authorized parties, without surrounding spaces")
    func policy() throws {
        let configuration = try read(["CLERK_AUTHORIZED_PARTIES": " https://a.test , https://b.test"])
        let verifier = Verifier(
            keys: try KeySet(source: configuration.keys, logger: quietLogger), policy: configuration.policy)
        let key = try SigningKey.shared.get()
        #expect(throws: Never.self) {
            try verifier.verify(key.token(["azp": "https://b.test"]), at: TokenTime(wallClock()))
        }
        for claims in [[:], ["azp": "https://c.test"], ["azp": "https://a.test", "iss": "https://x.test"]] {
            #expect(throws: TokenError.self) { try verifier.verify(key.token(claims), at: TokenTime(wallClock())) }
        }
    }

    @Test("The audiences and the lifetime of tokens are limited, unless the limit is explicitly 0")
    func audienceAndLifetime() throws {
        let key = try SigningKey.shared.get()
        func passes(_ changes: [String: String?], _ claims: [String: Any?]) throws -> Bool {
            let configuration = try read(changes)
            let verifier = Verifier(
                keys: try KeySet(source: configuration.keys, logger: quietLogger), policy: configuration.policy)
            return (try? verifier.verify(key.token(claims), at: TokenTime(wallClock()))) != nil
        }
        for audience in ["a", "b c", "https://x.test/?y"] {
            #expect(try passes(["CLERK_AUDIENCE": " a ,b c,https://x.test/?y"], ["aud": audience]))
            #expect(try !passes([:], ["aud": audience]))
        }
        let (day, year) = (wallClock() + 86_400, wallClock() + 366 * 86_400)
        #expect(try passes([:], ["exp": day]) && !passes([:], ["exp": year]))
        #expect(try passes(["TOKEN_MAX_LIFETIME": "0"], ["exp": year]))
        #expect(try !passes(["TOKEN_MAX_LIFETIME": "60"], ["exp": wallClock() + 90]))
        for text in ["-1", "315360001", "1d", "1.5"] {
            #expect(variables(["TOKEN_MAX_LIFETIME": text]) == ["TOKEN_MAX_LIFETIME"])
        }
        for text in ["a,", ",", " "] { #expect(variables(["CLERK_AUDIENCE": text]) == ["CLERK_AUDIENCE"]) }
        #expect(variables(["TOKEN_DENY_FILE": "/nonexistent/denied"]) == ["TOKEN_DENY_FILE"])
    }

    @Test(
        "The issuer is accepted as Clerk writes it, and refused in a form that no token has",
        arguments: ["CLERK_ISSUER"])
    func issuer(variable: String) throws {
        for text in [
            "https://clerk.example.com", "https://clean-mayfly-62.clerk.accounts.dev", "https://clerk.localhost",
            "https://app.example.com/__clerk", "http://localhost:4000", "http://127.0.0.1:4000", "http://[::1]:4000",
            "https://clerk.example.com:8443", "http://clerk.localhost",
        ] {
            #expect(variables([variable: text]) == [], "\(text)")
        }
        for (text, words) in [
            ("https://clerk.example.com/", "ends with a slash"),
            ("https://app.example.com/__clerk/", "ends with a slash"),
            ("clerk.example.com", "https://"), ("//clerk.example.com", "https://"),
            ("https:/clerk.example.com", "https://"),
            ("http://clerk.example.com", "https address"), ("http://127.example.com", "https address"),
            ("ftp://clerk.example.com", "scheme"), ("chrome-extension://abc", "https address"),
            ("https://", "no host"), ("https://Clerk.example.com", "capital"), ("HTTPS://clerk.example.com", "scheme"),
            ("https://clerk.example.com:443", "default port"), ("https://clerk.example.com?x", "query"),
            ("https://clerk.example.com/a?x", "query"), ("https://clerk.example.com/#a", "fragment"),
            ("https://clerk.example.com ", "character"), (" https://clerk.example.com", "scheme"),
            ("https://clerk.example.com/a b", "space"), ("https://u:s3cr3t@clerk.example.com", "@"),
            ("\"https://clerk.example.com\"", "scheme"), ("https://*.clerk.example.com", "wildcard"),
        ] {
            let problems = errors([variable: text]).map(\.description)
            #expect(problems.count == 1 && problems[0].contains(words), "\(text): \(problems)")
            #expect(!problems.joined().contains("s3cr3t"))
        }
    }

    @Test(
        "Origins are accepted as browsers send them, and refused in a form that never equals one",
        arguments: ["CORS_ALLOWED_ORIGINS", "CLERK_AUTHORIZED_PARTIES"])
    func origins(variable: String) throws {
        let configuration = try read([
            "CORS_ALLOWED_ORIGINS": "https://app.example.com, http://localhost:3000,http://[::1]:5173"
        ])
        #expect(
            configuration.allowedOrigins == ["https://app.example.com", "http://localhost:3000", "http://[::1]:5173"])
        for text in [
            "https://a.test:8443", "http://a.test:443", "https://xn--9ca.test", "https://a_b.test",
            "http://10.0.0.1:3000",
            "chrome-extension://abcdefghijklmnop", "capacitor://localhost", "tauri://localhost", "https://1a.test",
            "https://a.t1", "http://2fa:3000",
        ] {
            #expect(variables([variable: text]) == [], "\(text)")
        }
        for (text, words) in [
            ("*", "wildcard"), ("https://*.example.com", "wildcard"), ("null", "https://"),
            ("app.example.com", "https://"),
            ("localhost:3000", "https://"), ("https://app.example.com/", "slash"),
            ("https://App.example.com", "capital"),
            ("https://", "no host"), ("ftp://a.test", "scheme"), ("htps://a.test", "scheme"),
            ("HTTPS://a.test", "scheme"),
            ("https://a.test/path", "path"), ("https://a.test//", "path"), ("https://a.test?x", "query"),
            ("https://a.test#", "query"),
            ("https://u:s3cr3t@a.test", "@"), ("https://a.test https://b.test", "path"),
            ("https://a.test b", "character"),
            ("https://é.test", "character"), ("https://a.test\r\nx: y", "character"),
            ("https://a.test:443", "default port"),
            ("http://a.test:80", "default port"), ("https://a.test:", "port"), ("https://a.test:0", "port"),
            ("https://a.test:065", "port"), ("https://a.test:+80", "port"), ("https://a.test:65536", "port"),
            ("https://a.test:8443:1", "port"), ("https://a..test", "empty"), ("https://a.test.", "empty"),
            ("https://:80", "empty"),
            ("https://127.1", "IPv4"), ("https://1.2.3.256", "IPv4"), ("https://0x7f000001", "IPv4"),
            ("https://[::1", "IPv6"),
            ("https://[::g]", "IPv6"), ("https://[::1]x", "port"), ("https://[::A]", "capital"), (",", "is empty"),
            ("https://a.test,", "number 2"), (" ", "is empty"), ("https://a.test,,https://b.test", "number 2"),
            ("'https://a.test'", "scheme"), ("https://a.test;https://b.test", "path"),
        ] {
            let problems = errors([variable: text])
            #expect(problems.map(\.variable) == [variable], "\(text)")
            #expect(problems.first?.problem.contains(words) == true, "\(text): \(problems)")
            #expect(!problems.contains { $0.problem.contains("s3cr3t") })
        }
    }

    @Test("Each level and format of the log is accepted only by its exact name")
    func log() throws {
        for level in Logger.Level.allCases { #expect(try read(["LOG_LEVEL": level.rawValue]).logLevel == level) }
        #expect(try read(["LOG_FORMAT": "text"]).logFormat == .text)
        for text in ["INFO", "warn", "7", "info "] { #expect(variables(["LOG_LEVEL": text]) == ["LOG_LEVEL"]) }
        for text in ["JSON", "logfmt"] { #expect(variables(["LOG_FORMAT": text]) == ["LOG_FORMAT"]) }
        #expect(errors(["LOG_FORMAT": "x"]).first?.description == "LOG_FORMAT must be one of json, text")
    }

    @Test("The audit is on unless AUDIT is exactly off")
    func audit() throws {
        #expect(try read([:]).isAudited && read(["AUDIT": ""]).isAudited && read(["AUDIT": "on"]).isAudited)
        #expect(try !read(["AUDIT": "off"]).isAudited)
        for text in ["OFF", "0", "false"] { #expect(variables(["AUDIT": text]) == ["AUDIT"]) }
    }

    @Test("The login must be bound unless DATABASE_LOGIN is exactly any")
    func login() throws {
        #expect(try read().databaseLogin == .bound && read(["DATABASE_LOGIN": ""]).databaseLogin == .bound)
        #expect(try read(["DATABASE_LOGIN": "any"]).databaseLogin == .any)
        for text in ["ANY", "off", "0"] { #expect(variables(["DATABASE_LOGIN": text]) == ["DATABASE_LOGIN"]) }
    }

    @Test(
        "Each protection that is off is reported in one line, and none if all are on",
        arguments: [
            ("AUDIT", "off", Protection.audit), ("RATE_LIMIT", "0", .rateLimit), ("DATABASE_LOGIN", "any", .login),
            ("TOKEN_MAX_LIFETIME", "0", .tokenLifetime),
            ("DATABASE_URL", "host=db user=u sslmode=require", .databaseTLS),
            ("FCGI_LISTEN", "0.0.0.0:9000", .listenAll),
            ("FCGI_LISTEN", "[::]:9000", .listenAll), ("FCGI_LISTEN", "0:9000", .listenAll),
            ("CLERK_ISSUER", "https://clerk.localhost", .productionIssuer),
            ("CLERK_ISSUER", "https://127.0.0.1:1/x", .productionIssuer),
            ("CLERK_ISSUER", "https://a-b-1.clerk.accounts.dev", .productionIssuer),
        ])
    func protectionsOff(variable: String, value: String, protection: Protection) throws {
        let real = ["CLERK_ISSUER": "https://clerk.example.com"]
        #expect(try read(real).protectionsOff == [])
        #expect(try read(real).verdict == "The configuration is valid.")
        let configuration = try read(real.merging([variable: value]) { $1 })
        #expect(configuration.protectionsOff.map(\.protection) == [protection])
        #expect(configuration.protectionsOff.allSatisfy { $0.text.hasPrefix(variable) && !$0.text.contains("\n") })
        #expect(configuration.verdict.contains("not for production") == (protection == .productionIssuer))
    }

    @Test("An issuer without TLS, which must be on this machine, is reported")
    func issuerWithoutTLS() throws {
        let off = try read(["CLERK_ISSUER": "http://localhost:1"]).protectionsOff.map(\.protection)
        #expect(off == [.issuerTLS, .productionIssuer])
        for address in ["127.0.0.1:9000", "localhost:9000", "10.0.0.1:9000", "/run/x.sock"] {
            #expect(try !read(["FCGI_LISTEN": address]).protectionsOff.map(\.protection).contains(.listenAll))
        }
    }

    @Test("All errors are reported at once, and no value is repeated, since it may be a secret")
    func allErrors() {
        let secret = "s3cr3t"
        let names = [
            "WORKER_THREADS", "DB_POOL_SIZE", "DB_ACQUIRE_TIMEOUT_MS", "DB_STATEMENT_TIMEOUT_MS", "DATABASE_URL",
            "RATE_LIMIT",
            "LISTEN_FDS", "CLERK_JWT_KEY", "CORS_ALLOWED_ORIGINS", "AUDIT", "DATABASE_LOGIN", "LOG_LEVEL", "LOG_FORMAT",
            "SECURITY_CONTACT", "PUBLIC_URL",
        ]
        var changes: [String: String?] = Dictionary(uniqueKeysWithValues: names.map { ($0, secret) })
        changes["DATABASE_URL"] = "postgres://user:\(secret)@[host"
        changes["CLERK_JWT_KEY"] = "-----BEGIN \(secret)-----"
        changes["CLERK_AUTHORIZED_PARTIES"] = "\(secret),"
        changes.updateValue(nil, forKey: "CLERK_ISSUER")
        changes["DATABASE_ROLE"] = String(repeating: secret, count: 11)
        let found = errors(changes)
        #expect(
            Set(found.map(\.variable)) == Set(names + ["CLERK_AUTHORIZED_PARTIES", "CLERK_ISSUER", "DATABASE_ROLE"]))
        #expect(found.count == Set(found.map(\.variable)).count)
        for error in found {
            #expect(!error.description.contains(secret))
            #expect(error.description.hasPrefix(error.variable + " "))
            #expect(!error.description.contains("\n"))
        }
        for (variable, value) in [
            ("CLERK_JWKS_URL", "https://user:\(secret)@clerk.example.test/"), ("CLERK_JWKS_URL", "http://\(secret)/"),
        ] {
            let found = errors(["CLERK_JWT_KEY": nil, variable: value])
            #expect(found.map(\.variable) == [variable])
            #expect(found.allSatisfy { !$0.description.contains(secret) })
        }
    }
}

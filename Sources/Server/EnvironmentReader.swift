import FastCGI
import JWT
import PostgreSQL
import Webhook

/// Reads environment variables one by one and collects their errors.
///
/// An empty variable counts as unset, because container files cannot leave one out.
struct EnvironmentReader {
    private let environment: [String: String]
    private(set) var errors: [ConfigurationError] = []

    init(_ environment: [String: String]) { self.environment = environment }

    mutating func reject(_ variable: String, _ problem: String) {
        errors.append(ConfigurationError(variable: variable, problem: problem))
    }

    func value(_ variable: String) -> String? {
        environment[variable].flatMap { $0.isEmpty ? nil : $0 }
    }

    mutating func required(_ variable: String) -> String? {
        if let value = value(variable) { return value }
        reject(variable, "is not set")
        return nil
    }

    mutating func number(_ variable: String, in range: ClosedRange<Int>, default standard: Int) -> Int {
        guard let text = value(variable) else { return standard }
        guard text.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }), let number = Int(text),
            range.contains(number)
        else {
            reject(variable, "must be a whole number from \(range.lowerBound) to \(range.upperBound)")
            return standard
        }
        return number
    }

    mutating func choice<Value: RawRepresentable<String>>(
        _ variable: String, _ values: [Value], default standard: Value
    ) -> Value {
        guard let text = value(variable) else { return standard }
        if let value = values.first(where: { $0.rawValue == text }) { return value }
        reject(variable, "must be one of " + values.map(\.rawValue).joined(separator: ", "))
        return standard
    }

    mutating func connection(statementTimeout: Duration) -> ConnectionParameters? {
        let role = value("DATABASE_ROLE") ?? "reengagement_api"
        if role.utf8.count > 63 { reject("DATABASE_ROLE", "is longer than PostgreSQL's 63 bytes") }
        guard let text = required("DATABASE_URL") else { return nil }
        do throws(InvalidConnectionString) {
            return try ConnectionParameters(connectionString: text, role: role, statementTimeout: statementTimeout)
        } catch {
            reject("DATABASE_URL", error.problem)
            return nil
        }
    }

    /// The sockets of FastCGI and of the live streams.
    ///
    /// systemd passes sockets from descriptor 3 on (`sd_listen_fds(3)`). One is that of FastCGI. Of two,
    /// `LISTEN_FDNAMES` names each.
    mutating func listen(processID: Int32) -> (fastCGI: Configuration.Listen, live: Configuration.Listen)? {
        guard let count = value("LISTEN_FDS"), value("LISTEN_PID").map({ $0 == String(processID) }) ?? true else {
            guard let fastCGI = address("FCGI_LISTEN", default: ".local/run/reengagement.sock"),
                let live = liveAddress()
            else { return nil }
            guard fastCGI != live else {
                reject("LIVE_LISTEN", "must be another address than FCGI_LISTEN")
                return nil
            }
            return (fastCGI, live)
        }
        switch count {
        case "1":
            // The unit of the live streams' socket was started without the other.
            guard value("LISTEN_FDNAMES") != "live" else {
                reject("LISTEN_FDNAMES", "must not be live alone: one inherited socket is that of FastCGI")
                return nil
            }
            return liveAddress().map { (.inherited(descriptor: 3), $0) }
        case "2":
            switch value("LISTEN_FDNAMES") {
            case "fcgi:live": return (.inherited(descriptor: 3), .inherited(descriptor: 4))
            case "live:fcgi": return (.inherited(descriptor: 4), .inherited(descriptor: 3))
            default:
                reject("LISTEN_FDNAMES", "must name the two listening sockets fcgi and live")
                return nil
            }
        default:
            reject("LISTEN_FDS", "must be 1 or 2: FastCGI's listening socket, and that of the live streams")
            return nil
        }
    }

    private mutating func liveAddress() -> Configuration.Listen? {
        address("LIVE_LISTEN", default: ".local/run/live.sock")
    }

    private mutating func address(_ variable: String, default standard: String) -> Configuration.Listen? {
        guard let address = ListenAddress(value(variable) ?? standard) else {
            reject(
                variable,
                "must be a socket's path of at most \(ListenAddress.longestPath) bytes, or host:port with both named")
            return nil
        }
        return .address(address)
    }

    mutating func keySource() -> KeySource? {
        let caFile = value("CLERK_JWKS_CA_FILE")
        let sources: [KeySource] = [
            value("CLERK_JWT_KEY").map { .pem($0) },
            value("CLERK_JWKS_FILE").map { .jwksFile($0) },
            value("CLERK_JWKS_URL").map { .jwksURL($0, caFile: caFile) },
        ].compactMap { $0 }
        guard let source = sources.first, sources.count == 1 else {
            reject("CLERK_JWT_KEY", "or CLERK_JWKS_FILE or CLERK_JWKS_URL: exactly one of the three must be set")
            return nil
        }
        do throws(KeySourceError) {
            try KeySet.check(source)
            return source
        } catch {
            reject(error.variable, error.problem)
            return nil
        }
    }

    mutating func issuer() -> String? {
        guard let text = required("CLERK_ISSUER") else { return nil }
        guard let problem = Issuer.problem(in: text) else { return text }
        reject("CLERK_ISSUER", problem)
        return nil
    }

    /// The contact for `/.well-known/security.txt`.
    mutating func securityContact() -> String? {
        guard let text = value("SECURITY_CONTACT") else { return nil }
        if let contact = SecurityText.contact(text) { return contact }
        reject("SECURITY_CONTACT", "must be an address of e-mail, or begin with mailto:, tel:+ or https://")
        return nil
    }

    /// The roles of administrators.
    mutating func adminRoles() -> [String] {
        let roles = list("ADMIN_ROLES") ?? ["admin"]
        if let index = roles.firstIndex(where: { $0.hasPrefix("org:") }) {
            reject("ADMIN_ROLES", "has an item, number \(index + 1), that begins with org:; roles are listed without")
        }
        return roles
    }

    /// The keys in `SECRETS_KEY_FILE`. Nil if the variable is not set.
    mutating func secretKeys() -> SecretKeys? {
        guard let path = value("SECRETS_KEY_FILE") else { return nil }
        do throws(SecretKeys.Invalid) {
            return try SecretKeys(file: path)
        } catch {
            reject("SECRETS_KEY_FILE", error.text)
            return nil
        }
    }

    /// The public origin of the service. Nil if it is unset.
    mutating func publicURL() -> String? {
        guard let text = value("PUBLIC_URL") else { return nil }
        let example = "it is written without a slash at the end, such as https://api.example.com"
        do throws(OriginError) {
            let origin = try WebOrigin(text)
            guard origin.scheme == "https" || origin.scheme == "http" && origin.isLoopback else {
                reject("PUBLIC_URL", "must be an https address, or an http one of this machine; \(example)")
                return nil
            }
            return text
        } catch {
            reject("PUBLIC_URL", "\(error.text); \(example)")
        }
        return nil
    }

    /// The path of a readable `TOKEN_DENY_FILE`. Nil if the variable is not set.
    mutating func denyFile() -> String? {
        guard let path = value("TOKEN_DENY_FILE") else { return nil }
        do throws(KeySourceError) {
            try DenyList.check(path: path)
        } catch {
            reject(error.variable, error.problem)
        }
        return path
    }

    /// The comma-separated texts, without the spaces around them. Nil if the variable is unset.
    mutating func list(_ variable: String) -> [String]? {
        guard let items = items(variable) else { return nil }
        for (index, item) in items.enumerated() where item.isEmpty {
            reject(variable, "has an item, number \(index + 1), that is empty; it lists texts between commas")
            return nil
        }
        return items
    }

    private func items(_ variable: String) -> [String]? {
        value(variable)?.split(separator: ",", omittingEmptySubsequences: false).map { item in
            String(item.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
        }
    }

    /// The comma-separated origins, without the spaces around them. Nil if the variable is unset.
    mutating func origins(_ variable: String) -> [String]? {
        guard let items = items(variable) else { return nil }
        for (index, item) in items.enumerated() {
            do throws(OriginError) {
                _ = try WebOrigin(item)
            } catch {
                let problem = item.isEmpty ? "is empty" : error.text
                reject(
                    variable,
                    "has an item, number \(index + 1), that \(problem); it lists origins as browsers send them, such "
                        + "as https://app.example.com")
                return nil
            }
        }
        return items
    }
}

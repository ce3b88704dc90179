import CPostgreSQL
import Glibc

/// An error in a connection string, in words that quote no part of it.
public struct InvalidConnectionString: Error, Equatable {
    /// The error. It follows the name of a variable.
    public let problem: String

    init(_ problem: String) { self.problem = problem }
}

/// A connection string that libpq has parsed, with values that it can use.
struct ConnectionString {
    let keywords: HostList.Keywords

    /// - Throws: ``InvalidConnectionString``, without libpq's own message, which may quote the password.
    init(_ text: String) throws(InvalidConnectionString) {
        guard let options = PQconninfoParse(text, nil) else {
            throw InvalidConnectionString(
                "is not a connection string that libpq \(Self.version) can read; in a URI, what is special in a "
                    + "password is percent-encoded (@ is %40, / is %2F), elsewhere a value with spaces is quoted")
        }
        defer { PQconninfoFree(options) }
        keywords = Self.keywords(of: options)
        try checkNames(isURI: text.hasPrefix("postgresql://") || text.hasPrefix("postgres://"))
        try checkNumbers()
        try checkFiles()
    }

    /// The options of libpq that have a value.
    static func keywords(of options: UnsafeMutablePointer<PQconninfoOption>) -> HostList.Keywords {
        var found: HostList.Keywords = []
        var option = options
        while let keyword = option.pointee.keyword {
            if let value = option.pointee.val { found.append((String(cString: keyword), String(cString: value))) }
            option += 1
        }
        return found
    }

    /// The major version of the installed libpq.
    static var version: Int { Int(PQlibVersion()) / 10_000 }

    private func value(_ keyword: String) -> String? { keywords.first { $0.keyword == keyword }?.value }

    private func list(_ keyword: String) -> [String] { value(keyword).map(HostList.split) ?? [] }

    /// Refuses names that probably contain the rest of a password.
    ///
    /// A raw `@` or `/` in a password moves its rest into the host's name, which libpq looks up and quotes, or into the
    /// database's name.
    private func checkNames(isURI: Bool) throws(InvalidConnectionString) {
        let remedy = "which looks like the rest of a password: in a URI, @ is written %40 there, and / is %2F"
        guard (list("host") + list("hostaddr")).allSatisfy({ $0.hasPrefix("/") || !$0.contains("@") }) else {
            throw InvalidConnectionString("has a host that holds @, \(remedy)")
        }
        guard !isURI || !(value("dbname") ?? "").contains("@") else {
            throw InvalidConnectionString("has a database's name that holds @, \(remedy)")
        }
    }

    /// Checks values that libpq reads only when it connects.
    ///
    /// Without this check, the error would look like an unreachable database.
    private func checkNumbers() throws(InvalidConnectionString) {
        guard list("port").allSatisfy({ $0.isEmpty || UInt16($0).map { $0 > 0 } ?? false }) else {
            throw InvalidConnectionString("has a port that is not a number from 1 to 65535")
        }
        guard list("hostaddr").allSatisfy({ $0.isEmpty || Self.isAddress($0) }) else {
            throw InvalidConnectionString("has a hostaddr that is not an IP address")
        }
        // libpq itself reads it only in calls that block, as in psql.
        guard value("connect_timeout").map({ Int32($0) != nil }) ?? true else {
            throw InvalidConnectionString("has a connect_timeout that is not a whole number")
        }
        guard ["false", "off", "no", "0"].contains(value("replication") ?? "off") else {
            throw InvalidConnectionString("asks for replication, in which PostgreSQL takes no such statements")
        }
    }

    private static func isAddress(_ text: String) -> Bool {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        defer { if found != nil { freeaddrinfo(found) } }
        return getaddrinfo(text, nil, &hints, &found) == 0
    }

    /// Requires that each named file exists.
    ///
    /// libpq ignores most missing files, even the one that verifies the server's certificate.
    private func checkFiles() throws(InvalidConnectionString) {
        // With a colon, the value is not a path but the name of an engine's key.
        let special = value("sslkey")?.contains(":") ?? false ? ["sslkey"] : []
        for keyword in ["sslrootcert", "sslcert", "sslkey", "sslcrl", "sslcrldir", "passfile"] {
            guard let path = value(keyword), !path.isEmpty, !special.contains(keyword),
                keyword != "sslrootcert" || path != "system"
            else { continue }
            guard access(path, R_OK) == 0 else {
                let reason = String(cString: strerror(errno))
                throw InvalidConnectionString("names something in \(keyword) that cannot be read: \(reason)")
            }
        }
        var status = stat()
        guard let path = value("passfile"), stat(path, &status) == 0 else { return }
        guard status.st_mode & S_IFMT == S_IFREG, status.st_mode & 0o077 == 0 else {
            throw InvalidConnectionString(
                "names a passfile that libpq ignores: it must be a regular file that no other user may read (0600)")
        }
    }
}

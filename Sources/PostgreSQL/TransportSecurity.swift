import CPostgreSQL
import Glibc

/// Decides how the database's server proves its identity.
///
/// Over a network, its certificate is checked, unless the operator names another `sslmode`. libpq's own default
/// (`prefer`) accepts any server, with TLS or without. Connections to a socket or to loopback never leave the machine.
struct TransportSecurity {
    /// The `sslmode` of the connection string, `PGSSLMODE` or a service file.
    private let asked: String?
    /// The hosts that libpq uses if the connection string names none.
    private let standardHosts: String

    init(_ given: HostList.Keywords) {
        // A service file may contain hosts and an sslmode too, and only libpq can find it.
        let completed = Self.completed(given)
        func value(_ keyword: String) -> String? { completed.first { $0.keyword == keyword }?.value }
        let named = given.first { $0.keyword == "sslmode" }?.value ?? getenv("PGSSLMODE").map { String(cString: $0) }
        // `prefer` in a service file cannot be distinguished from libpq's default.
        let ofService = value("sslmode").flatMap { $0 == "prefer" ? nil : $0 }
        asked = named.flatMap { $0.isEmpty ? nil : $0 } ?? ofService
        standardHosts = value("hostaddr") ?? value("host") ?? ""
    }

    /// The keywords of one host, with the default `sslmode` added.
    ///
    /// - Throws: ``InvalidConnectionString`` if a certificate has to be checked and there is no host name for the
    ///   check.
    func secured(_ keywords: HostList.Keywords) throws(InvalidConnectionString) -> HostList.Keywords {
        guard isOverNetwork(keywords) else { return keywords }
        let (mode, host) = (asked ?? Self.checked.value, keywords.first { $0.keyword == "host" }?.value ?? "")
        let address = keywords.first { $0.keyword == "hostaddr" }?.value ?? ""
        guard mode != Self.checked.value || address.isEmpty || !host.isEmpty else {
            throw InvalidConnectionString("names a hostaddr and no host, whose name sslmode=verify-full needs")
        }
        return asked == nil ? keywords + [Self.checked] : keywords
    }

    /// True if the certificate of one of the hosts is checked by default.
    func checksByDefault(_ hosts: [HostList.Keywords]) -> Bool { asked == nil && hosts.contains(where: isOverNetwork) }

    /// The operator's `sslmode` if it does not prove the database's identity. Nil otherwise.
    func weakness(_ hosts: [HostList.Keywords]) -> String? {
        guard let asked, asked != Self.checked.value, hosts.contains(where: isOverNetwork) else { return nil }
        return asked
    }

    static let checked = (keyword: "sslmode", value: "verify-full")

    private func isOverNetwork(_ keywords: HostList.Keywords) -> Bool {
        func value(_ keyword: String) -> String? {
            keywords.first { $0.keyword == keyword }.flatMap { $0.value.isEmpty ? nil : $0.value }
        }
        let hosts = value("hostaddr") ?? value("host") ?? standardHosts
        return HostList.split(hosts).contains { !Self.isOnThisMachine($0) }
    }

    private static func isOnThisMachine(_ host: String) -> Bool {
        if host.isEmpty || host.hasPrefix("/") || host.hasPrefix("@") { return true }
        let name = host.lowercased()
        if name == "localhost" || name == "localhost." { return true }
        var (ipv4, ipv6) = (in_addr(), in6_addr())
        if inet_pton(AF_INET, host, &ipv4) == 1 { return UInt32(bigEndian: ipv4.s_addr) >> 24 == 127 }
        guard inet_pton(AF_INET6, host, &ipv6) == 1 else { return false }
        return withUnsafeBytes(of: ipv6) { $0.dropLast().allSatisfy { $0 == 0 } && $0.last == 1 }
    }

    /// The keywords with those that libpq adds from its environment and a service file.
    ///
    /// libpq stops at an invalid value before it would look for a host.
    private static func completed(_ given: HostList.Keywords) -> HostList.Keywords {
        let all = given.filter { $0.keyword != "channel_binding" } + [("channel_binding", "none of its values")]
        let keywords = all.map { strdup($0.0) } + [nil]
        let values = all.map { strdup($0.1) } + [nil]
        defer { for pointer in keywords + values { free(pointer) } }
        let handle = PQconnectStartParams(keywords.map { UnsafePointer($0) }, values.map { UnsafePointer($0) }, 0)
        defer { PQfinish(handle) }
        guard let options = PQconninfo(handle) else { return [] }
        defer { PQconninfoFree(options) }
        return ConnectionString.keywords(of: options)
    }
}

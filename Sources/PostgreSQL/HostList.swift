/// The hosts of a connection string, each as a connection string of its own.
///
/// libpq tries the hosts of a list in turn. Its non-blocking calls wait for a host that does not respond until the
/// kernel's timeout, which is minutes.
struct HostList {
    typealias Keywords = [(keyword: String, value: String)]

    private static let perHost = ["host", "hostaddr", "port"]

    /// The keywords of each host, in the order of the attempts. If there is no list, it is one unchanged entry.
    let alternatives: [Keywords]
    /// The number of hosts.
    let count: Int
    /// True if one of them is not a socket of this machine.
    let isOverNetwork: Bool

    /// - Returns: nil if the lists differ in length.
    init?(_ keywords: Keywords) {
        let lists = keywords.filter { Self.perHost.contains($0.keyword) }
            .map { (keyword: $0.keyword, values: Self.split($0.value)) }
        let count = lists.filter { $0.keyword != "port" }.map(\.values.count).max() ?? 1
        // A single port applies to all hosts.
        let fit = lists.allSatisfy { $0.values.count == count || $0.keyword == "port" && $0.values.count == 1 }
        guard fit else { return nil }
        self.count = count
        isOverNetwork = lists.contains { list in
            list.keyword != "port" && list.values.contains { !$0.isEmpty && !$0.hasPrefix("/") }
        }
        let attribute = keywords.first { $0.keyword == "target_session_attrs" }?.value
        let common = keywords.filter { !Self.perHost.contains($0.keyword) && $0.keyword != "target_session_attrs" }
        let hosts = (0..<count).map { index in
            common + lists.map { ($0.keyword, $0.values.count == 1 ? $0.values[0] : $0.values[index]) }
        }
        alternatives = Self.sessions(attribute, hosts: count).flatMap { session in
            hosts.map { $0 + (session.map { [("target_session_attrs", $0)] } ?? []) }
        }
    }

    /// The kinds of session to look for, one after another, each on every host.
    private static func sessions(_ attribute: String?, hosts: Int) -> [String?] {
        switch attribute {
        case "prefer-standby": ["standby", "any"]
        // With several hosts, only one that accepts writes is used. A standby that is not promoted yet refuses them.
        case nil where hosts > 1: ["read-write"]
        default: [attribute]
        }
    }

    static func split(_ list: String) -> [String] {
        list.split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    }
}

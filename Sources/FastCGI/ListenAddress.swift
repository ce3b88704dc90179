/// Where the server listens: a unix socket's path, or a host and a port.
public enum ListenAddress: Sendable, Equatable {
    case unix(path: String)
    case tcp(host: String, port: UInt16)

    /// The longest path a `sockaddr_un` holds with its terminating zero.
    public static let longestPath = 107

    /// Reads `host:port`, `[address]:port` or a path; nil where it is none of them.
    ///
    /// The host has to be named: a bare `:port` would listen for the whole network, and whoever reaches a
    /// FastCGI socket can say that it is any user.
    public init?(_ text: String) {
        guard !text.isEmpty, !text.utf8.contains(0) else { return nil }
        guard !text.contains("/"), let colon = text.lastIndex(of: ":") else {
            guard text.utf8.count <= Self.longestPath else { return nil }
            self = .unix(path: text)
            return
        }
        var host = text[..<colon]
        if host.hasPrefix("["), host.hasSuffix("]") { host = host.dropFirst().dropLast() }
        let digits = text[text.index(after: colon)...]
        guard !host.isEmpty, digits.first != "+", let port = UInt16(digits), port > 0 else { return nil }
        self = .tcp(host: String(host), port: port)
    }
}

/// Why a listening socket could not be had; the text is for the operator.
public struct ListenError: Error, CustomStringConvertible {
    public let description: String
}

import Glibc

/// The address that the server listens on: a unix socket's path, or a host and a port.
public enum ListenAddress: Sendable, Equatable {
    case unix(path: String)
    case tcp(host: String, port: UInt16)

    /// The longest path that fits into a `sockaddr_un` with its terminating zero, in bytes.
    public static let longestPath = 107

    /// Parses `host:port`, `[address]:port` or a path. Nil for any other text.
    ///
    /// The host is required. A bare `:port` would listen on every address, and a client of a FastCGI socket can forge
    /// any parameter.
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

extension ListenAddress {
    /// True if a socket bound to `host` listens on every address of the machine.
    public static func isEverywhere(_ host: String) -> Bool {
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST
        var found: UnsafeMutablePointer<addrinfo>?
        defer { if found != nil { freeaddrinfo(found) } }
        // Such an address has many spellings (0, 0.0, ::0).
        guard getaddrinfo(host, nil, &hints, &found) == 0, let address = found?.pointee.ai_addr else { return false }
        return isEverywhere(address)
    }

    /// True if the socket `descriptor` listens on every address of the machine.
    public static func isEverywhere(descriptor: CInt) -> Bool {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length) == 0 && isEverywhere($0)
            }
        }
    }

    private static func isEverywhere(_ address: UnsafeMutablePointer<sockaddr>) -> Bool {
        switch CInt(address.pointee.sa_family) {
        case AF_INET:
            address.withMemoryRebound(to: sockaddr_in.self, capacity: 1) { $0.pointee.sin_addr.s_addr == 0 }
        case AF_INET6:
            address.withMemoryRebound(to: sockaddr_in6.self, capacity: 1) { pointer in
                withUnsafeBytes(of: pointer.pointee.sin6_addr) { $0.allSatisfy { $0 == 0 } }
            }
        default: false
        }
    }
}

/// The reason why the server has no listening socket, for the operator.
public struct ListenError: Error, CustomStringConvertible {
    public let description: String
}

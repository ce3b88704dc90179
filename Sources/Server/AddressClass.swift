import Glibc

/// Identifies a client by its IPv4 address, or by the /64 of its IPv6 address, because one client may use all of it.
enum AddressClass {
    static func of(_ address: String) -> String {
        let mapped = "::ffff:"
        var bytes = in6_addr()
        guard address.contains(":"), inet_pton(AF_INET6, address, &bytes) == 1 else {
            return AuditText.bounded(address)
        }
        if address.lowercased().hasPrefix(mapped), address.contains(".") {
            return String(address.dropFirst(mapped.count))
        }
        withUnsafeMutableBytes(of: &bytes) { bytes in
            for index in 8..<16 { bytes[index] = 0 }
        }
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        guard inet_ntop(AF_INET6, &bytes, &text, socklen_t(text.count)) != nil else {
            return AuditText.bounded(address)
        }
        return String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self) + "/64"
    }
}

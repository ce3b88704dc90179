import Glibc

/// Decides whether an IP address is globally reachable, by IANA's special-purpose address registries.
///
/// https://www.iana.org/assignments/iana-ipv4-special-registry
/// https://www.iana.org/assignments/iana-ipv6-special-registry
public enum GlobalAddress {
    /// A range of addresses: its first bytes, and the number of bits that are compared.
    private struct Block {
        let first: [UInt8]
        let bits: Int

        init(_ first: [UInt8], _ bits: Int) { (self.first, self.bits) = (first, bits) }

        func contains(_ address: [UInt8]) -> Bool {
            let whole = bits / 8
            guard address.prefix(whole).elementsEqual(first.prefix(whole)) else { return false }
            let rest = bits % 8
            return rest == 0 || (address[whole] ^ (whole < first.count ? first[whole] : 0)) >> UInt8(8 - rest) == 0
        }
    }

    /// True if the address, of 4 or 16 bytes in network order, is globally reachable.
    public static func isGlobal(_ address: [UInt8]) -> Bool {
        switch address.count {
        case 4: isGlobalIPv4(address)
        case 16: isGlobalIPv6(address)
        default: false
        }
    }

    /// The bytes of an address that is written as a number, an IPv6 address without brackets. Nil for a name.
    public static func bytes(_ text: String) -> [UInt8]? {
        var (v4, v6) = (in_addr(), in6_addr())
        if inet_pton(AF_INET, text, &v4) == 1 { return withUnsafeBytes(of: v4) { Array($0) } }
        return inet_pton(AF_INET6, text, &v6) == 1 ? withUnsafeBytes(of: v6) { Array($0) } : nil
    }

    private static func isGlobalIPv4(_ address: [UInt8]) -> Bool {
        reachableIPv4.contains { $0.contains(address) } || !specialIPv4.contains { $0.contains(address) }
    }

    private static func isGlobalIPv6(_ address: [UInt8]) -> Bool {
        // An address that contains an IPv4 address is as reachable as that.
        if mapped.contains(address) || translated.contains(address) { return isGlobalIPv4(Array(address[12...])) }
        if sixToFour.contains(address) { return isGlobalIPv4(Array(address[2..<6])) }
        guard globalUnicast.contains(address) else { return false }
        return reachableIPv6.contains { $0.contains(address) } || !specialIPv6.contains { $0.contains(address) }
    }

    private static let specialIPv4 = [
        Block([0], 8), Block([10], 8), Block([100, 64], 10), Block([127], 8), Block([169, 254], 16),
        Block([172, 16], 12), Block([192, 0, 0], 24), Block([192, 0, 2], 24), Block([192, 88, 99], 24),
        Block([192, 168], 16), Block([198, 18], 15), Block([198, 51, 100], 24), Block([203, 0, 113], 24),
        // Multicast, reserved, and the limited broadcast.
        Block([224], 4), Block([240], 4),
    ]

    /// Parts of special ranges that are globally reachable: PCP anycast (RFC 7723) and TURN anycast (RFC 8155).
    private static let reachableIPv4 = [Block([192, 0, 0, 9], 32), Block([192, 0, 0, 10], 32)]

    /// `::ffff:0:0/96` (RFC 4291).
    private static let mapped = Block([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF], 96)
    /// `64:ff9b::/96`, NAT64 (RFC 6052).
    private static let translated = Block([0, 0x64, 0xFF, 0x9B, 0, 0, 0, 0, 0, 0, 0, 0], 96)
    /// `2002::/16` (RFC 3056).
    private static let sixToFour = Block([0x20, 0x02], 16)
    /// The only range from which global unicast addresses are allocated (RFC 4291, section 2.4).
    private static let globalUnicast = Block([0x20], 3)

    private static let specialIPv6 = [
        // Protocol assignments with Teredo, documentation, and segment routing.
        Block([0x20, 0x01, 0x00], 23), Block([0x20, 0x01, 0x0D, 0xB8], 32), Block([0x3F, 0xFF, 0x00], 20),
    ]

    /// Parts of `2001::/23` that are globally reachable.
    private static let reachableIPv6 = [
        // PCP anycast, TURN anycast, DNS-SD registration anycast.
        Block([0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1], 128),
        Block([0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2], 128),
        Block([0x20, 0x01, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3], 128),
        // AMT, AS112-v6, ORCHIDv2, drone remote identification.
        Block([0x20, 0x01, 0, 3], 32), Block([0x20, 0x01, 0, 4, 0x01, 0x12], 48), Block([0x20, 0x01, 0, 0x20], 28),
        Block([0x20, 0x01, 0, 0x30], 28),
    ]
}

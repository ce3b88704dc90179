internal import Addresses
import CCurl
import Glibc

/// The IP address and port that a transfer is about to connect to.
struct ConnectedAddress {
    /// 4 or 16 bytes, in network order.
    let bytes: [UInt8]
    let port: Int

    init(bytes: [UInt8], port: Int) { (self.bytes, self.port) = (bytes, port) }

    /// Nil if it is neither IPv4 nor IPv6.
    init?(_ address: UnsafeMutablePointer<curl_sockaddr>) {
        let size = Int(address.pointee.addrlen)
        // The field holds a sockaddr of any size, so it is read through the pointer.
        guard let offset = MemoryLayout<curl_sockaddr>.offset(of: \.addr) else { return nil }
        let raw = UnsafeRawPointer(address) + offset
        switch address.pointee.family {
        case AF_INET where size >= MemoryLayout<sockaddr_in>.size:
            let whole = raw.loadUnaligned(as: sockaddr_in.self)
            bytes = withUnsafeBytes(of: whole.sin_addr) { Array($0) }
            port = Int(UInt16(bigEndian: whole.sin_port))
        case AF_INET6 where size >= MemoryLayout<sockaddr_in6>.size:
            let whole = raw.loadUnaligned(as: sockaddr_in6.self)
            bytes = withUnsafeBytes(of: whole.sin6_addr) { Array($0) }
            port = Int(UInt16(bigEndian: whole.sin6_port))
        default: return nil
        }
    }

    /// True if a webhook may go there: a globally reachable address, and one of two ports.
    var isPublicReceiver: Bool { (port == 443 || port == 8443) && GlobalAddress.isGlobal(bytes) }

    /// True if it is this machine: 127.0.0.0/8, its mapped form, and `::1`.
    var isLoopback: Bool {
        guard bytes.count == 16 else { return bytes.first == 127 }
        let mapped: [UInt8] = Array(repeating: 0, count: 10) + [0xFF, 0xFF, 127]
        return bytes.starts(with: mapped) || bytes == Array(repeating: 0, count: 15) + [1]
    }
}

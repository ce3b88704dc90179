import FastCGI
import Glibc

/// One FastCGI record (FastCGI specification 1.0, section 3.3).
enum RecordType: UInt8 {
    case begin = 1
    case abort, end, parameters, input, output, errors, data, getValues
}

func record(
    _ type: RecordType, _ content: [UInt8] = [], version: UInt8 = 1, id: UInt16 = 1, padding: UInt8 = 0
) -> [UInt8] {
    let length = UInt16(content.count)
    let head: [UInt8] = [
        version, type.rawValue, UInt8(id >> 8), UInt8(id & 255), UInt8(length >> 8), UInt8(length & 255), padding, 0,
    ]
    return head + content + [UInt8](repeating: 0xAA, count: Int(padding))
}

/// The record that begins a request. Role 1 is the responder.
func begin(role: UInt8 = 1, keep: Bool = true, id: UInt16 = 1) -> [UInt8] {
    record(.begin, [0, role, keep ? 1 : 0, 0, 0, 0, 0, 0], id: id)
}

/// A name and its value, with lengths of one or four bytes (section 3.4).
func pair(_ name: String, _ value: [UInt8]) -> [UInt8] {
    func length(_ count: Int) -> [UInt8] {
        count < 128
            ? [UInt8(count)] : (0..<4).map { UInt8(truncatingIfNeeded: count >> (24 - 8 * $0)) | ($0 == 0 ? 0x80 : 0) }
    }
    return length(name.utf8.count) + length(value.count) + name.utf8 + value
}

/// The records of one stream, of at most `size` bytes each, with the empty record that ends it.
func stream(
    _ type: RecordType, _ bytes: [UInt8], size: Int = 65_535, padding: UInt8 = 0, id: UInt16 = 1
) -> [UInt8] {
    let starts = stride(from: 0, to: bytes.count, by: size)
    return starts.flatMap { record(type, Array(bytes[$0..<min($0 + size, bytes.count)]), id: id, padding: padding) }
        + record(type, id: id)
}

/// A complete request as nginx would send it.
func request(
    _ parameters: KeyValuePairs<String, String> = [:], body: [UInt8] = [], keep: Bool = true, id: UInt16 = 1
) -> [UInt8] {
    let pairs = parameters.flatMap { pair($0.key, Array($0.value.utf8)) }
    return begin(keep: keep, id: id) + stream(.parameters, pairs, id: id) + stream(.input, body, id: id)
}

/// A client in the role of nginx, which sends valid and invalid records.
///
/// It waits at most half a minute, so that a server that does not respond fails a test and does not hang it.
final class Client {
    struct ConnectError: Error { let code: CInt }

    private let descriptor: CInt

    init(path: String) throws {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        descriptor = try Self.connect(AF_UNIX, &address)
    }

    /// Connects to the loopback address.
    init(port: UInt16) throws {
        var address = sockaddr_in.loopback(port: port)
        descriptor = try Self.connect(AF_INET, &address)
    }

    deinit { Glibc.close(descriptor) }

    private static func connect<Address>(_ family: CInt, _ address: inout Address) throws -> CInt {
        let descriptor = socket(family, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
        let result = withSocketAddress(&address) { Glibc.connect(descriptor, $0, $1) }
        guard result == 0 else {
            let code = errno
            Glibc.close(descriptor)
            throw ConnectError(code: code)
        }
        return descriptor
    }

    /// Sends bytes. Returns false if the peer has closed the connection.
    @discardableResult
    func send(_ bytes: [UInt8]) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// Ends the sending direction. The client still reads.
    func endSending() { shutdown(descriptor, CInt(SHUT_WR)) }

    /// Reads the next response, of the request `id`. Nil if it is incomplete or has a record of another request.
    func answer(id: UInt16 = 1) -> [UInt8]? {
        var output: [UInt8] = []
        while let head = read(8) {
            guard head[0] == 1, UInt16(head[2]) << 8 | UInt16(head[3]) == id, (head[5] &+ head[6]) & 7 == 0,
                let content = read(Int(head[4]) << 8 | Int(head[5])), read(Int(head[6])) != nil
            else { return nil }
            switch head[1] {
            case RecordType.output.rawValue: output += content
            case RecordType.end.rawValue: return content == [UInt8](repeating: 0, count: 8) ? output : nil
            default: return nil
            }
        }
        return nil
    }

    /// Sends a request, and returns its response as text.
    func ask(_ parameters: KeyValuePairs<String, String> = [:], body: [UInt8] = [], keep: Bool = true) -> String? {
        send(request(parameters, body: body, keep: keep))
        return answer().map { String(decoding: $0, as: UTF8.self) }
    }

    /// True if the server closes the connection without another byte.
    func isClosed() -> Bool {
        var byte: UInt8 = 0
        let count = recv(descriptor, &byte, 1, 0)
        return count == 0 || (count < 0 && errno == ECONNRESET)
    }

    private func read(_ count: Int) -> [UInt8]? {
        var bytes = [UInt8](repeating: 0, count: count)
        var position = 0
        while position < count {
            let received = bytes.withUnsafeMutableBytes {
                recv(descriptor, $0.baseAddress! + position, count - position, 0)
            }
            guard received > 0 else { return nil }
            position += received
        }
        return bytes
    }
}

extension sockaddr_in {
    static func loopback(port: UInt16) -> sockaddr_in {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return address
    }
}

func withSocketAddress<Address, Result>(
    _ address: inout Address, _ body: (UnsafeMutablePointer<sockaddr>, socklen_t) -> Result
) -> Result {
    withUnsafeMutablePointer(to: &address) { pointer in
        pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, socklen_t(MemoryLayout<Address>.size)) }
    }
}

import NIOCore

/// A message in the form of each transport. It is encoded once for all streams that receive it.
final class Frame {
    private let json: [UInt8]
    private let id: Int?

    init(_ message: Message) { (json, id) = (message.json, message.id) }

    /// An event (WHATWG HTML, section 9.2.6). JSON contains no line break.
    private(set) lazy var event: ByteBuffer = {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(json.count + 40)
        if let id { buffer.writeString("id: \(id)\n") }
        buffer.writeStaticString("data: ")
        buffer.writeBytes(json)
        buffer.writeStaticString("\n\n")
        return buffer
    }()

    /// A text frame of a WebSocket.
    private(set) lazy var text = WebSocketBytes.frame(.text, json)
}

/// Frames from the server to the client, which are not masked (RFC 6455 section 5.2).
///
/// They are plain bytes, so that one buffer serves all streams and no stream has an encoder.
enum WebSocketBytes {
    enum Opcode: UInt8 {
        case text = 0x1
        case close = 0x8
        case ping = 0x9
        case pong = 0xA
    }

    /// The codes of a close frame (RFC 6455 section 7.4.1).
    enum CloseCode: UInt16 {
        case goingAway = 1001
        case policyViolation = 1008
    }

    static func frame(_ opcode: Opcode, _ payload: some Collection<UInt8>) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(payload.count + 10)
        buffer.writeInteger(0x80 | opcode.rawValue)
        switch payload.count {
        case ..<126: buffer.writeInteger(UInt8(payload.count))
        case ..<65_536:
            buffer.writeInteger(UInt8(126))
            buffer.writeInteger(UInt16(payload.count))
        default:
            buffer.writeInteger(UInt8(127))
            buffer.writeInteger(UInt64(payload.count))
        }
        buffer.writeBytes(payload)
        return buffer
    }

    static func close(_ code: CloseCode) -> ByteBuffer {
        frame(.close, [UInt8(code.rawValue >> 8), UInt8(code.rawValue & 0xFF)])
    }
}

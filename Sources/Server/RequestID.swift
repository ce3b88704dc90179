import Text

/// The ids of a request: the client's own, if it sends one, and the server's, which is in the logs and in the audit
/// (definitions.md section 8).
enum RequestID {
    /// The client's id if it is 1–128 characters of `[A-Za-z0-9._-]`, or else a random one.
    static func from(_ bytes: [UInt8]?) -> String {
        guard let bytes, (1...128).contains(bytes.count), bytes.allSatisfy(isAllowed) else { return random() }
        return String(decoding: bytes, as: UTF8.self)
    }

    private static func isAllowed(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "-"):
            true
        default: false
        }
    }

    /// 32 random hexadecimal digits.
    static func random() -> String { Hexadecimal.text(UInt128.random(in: .min ... .max)) }
}

/// The names that a request goes by: in answers the caller's, if he gives one; in logs and audit an own one beside it,
/// by which these are joined (definitions.md section 8).
enum RequestID {
    /// The caller's, if it is 1–128 of `[A-Za-z0-9._-]`, else a new one.
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

    /// One that nobody outside has chosen.
    static func random() -> String {
        func half() -> String {
            let digits = String(UInt64.random(in: .min ... .max), radix: 16)
            return String(repeating: "0", count: 16 - digits.count) + digits
        }
        return half() + half()
    }
}

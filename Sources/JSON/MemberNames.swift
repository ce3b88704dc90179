/// The names of an object's members, each prepared as `,"name":`.
public struct MemberNames: Sendable {
    let bytes: [UInt8]
    let names: [PreparedName]

    /// - Parameter names: ASCII that needs no escaping.
    public init(_ names: [StaticString]) {
        var bytes: [UInt8] = []
        self.names = names.map { name in
            let offset = bytes.count
            bytes += ",\"\(name)\":".utf8
            defer { bytes += [UInt8](repeating: 0, count: PreparedName.padding) }
            return PreparedName(offset: offset, count: bytes.count - offset)
        }
        self.bytes = bytes
    }
}

/// The position of a prepared name in ``MemberNames/bytes``.
struct PreparedName {
    /// How many bytes beyond a name may be read and written, since names are copied in steps of 16 bytes.
    static let padding = 16

    let offset: Int
    let count: Int
}

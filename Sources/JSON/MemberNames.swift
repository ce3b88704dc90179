/// The names of an object's members, prepared: each as it stands in the text, after the comma and up to the colon.
public struct MemberNames: Sendable {
    let bytes: [UInt8]
    let names: [PreparedName]

    /// - Parameter names: ASCII without anything to escape.
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

/// Where one of them is.
struct PreparedName {
    /// So many bytes behind a name may be read, and written.
    static let padding = 16

    let offset: Int
    let count: Int
}

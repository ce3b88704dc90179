import PostgreSQL

/// Whom an answer tells of: what the audit has to know of it, and nothing of what it says.
public enum Disclosure: Sendable {
    /// Counts, or no patient at all.
    case nobody
    case patients(PatientIDs)
    /// The statement that did the work has recorded it, in the same transaction.
    case recorded

    /// About how many bytes it takes.
    public var size: Int {
        if case .patients(let ids) = self { ids.size } else { 0 }
    }
}

/// The ids of patients as the text of a PostgreSQL array, written straight from a result's bytes.
public struct PatientIDs: Sendable {
    /// `{…}` without the closing brace.
    private var open: [UInt8] = [UInt8(ascii: "{")]
    public private(set) var count = 0

    var size: Int { open.count }

    public var arrayLiteral: [UInt8] { open + [UInt8(ascii: "}")] }

    init(capacity: Int) { open.reserveCapacity(24 * capacity + 2) }

    init(_ id: String) {
        var id = id
        id.withUTF8 { add(UnsafeRawBufferPointer($0)) }
    }

    /// Adds the id in `column`, where there is one.
    mutating func add(_ row: Row, _ column: Int) {
        row.withBytes(column) { bytes in
            if let bytes { add(bytes) }
        }
    }

    private mutating func add(_ id: UnsafeRawBufferPointer) {
        if count > 0 { open.append(UInt8(ascii: ",")) }
        count += 1
        guard !Self.isPlain(id) else { return open.append(contentsOf: id) }
        open.append(UInt8(ascii: "\""))
        for byte in id {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { open.append(UInt8(ascii: "\\")) }
            open.append(byte)
        }
        open.append(UInt8(ascii: "\""))
    }

    /// Whether it needs no quotes (PostgreSQL documentation, section 8.15.2); `null` without them would be none.
    private static func isPlain(_ id: UnsafeRawBufferPointer) -> Bool {
        let isPlain = id.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"):
                true
            default: false
            }
        }
        return isPlain && !id.isEmpty && !(id.count == 4 && id.map { $0 | 0x20 }.elementsEqual("null".utf8))
    }
}

import PostgreSQL

/// Entries on their way to the database: one statement, an array for each column.
enum AuditBatch {
    /// Few enough that a statement is far from its deadline, many enough that its round trip and commit hardly count.
    static let mostEntries = 1000
    static let mostBytes = 1 << 20

    private static let statement = Statement(
        name: "record_access",
        sql: """
            SELECT re.record_access($1::float8[], $2::int[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[],
                $8::text[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[])
            """)

    static func query(_ entries: ArraySlice<AuditEntry>) -> Query {
        Query(
            statement,
            [
                array(entries) { "\($0.time)" }, array(entries) { String($0.status) },
                array(entries) { $0.organization }, array(entries) { $0.principal.subject },
                array(entries) { $0.principal.claims.sessionID },
                array(entries) { $0.principal.claims.organizationRole },
                array(entries) { $0.principal.claims.actor }, array(entries) { $0.address },
                array(entries) { $0.requestID }, array(entries) { $0.method }, array(entries) { $0.route },
                array(entries, bytes: \.filterObject), array(entries, bytes: \.patients),
            ])
    }

    /// The first entries, as many as one statement takes.
    static func prefix(of entries: ArraySlice<AuditEntry>) -> ArraySlice<AuditEntry> {
        var bytes = 0
        let fitting = entries.prefix(mostEntries).prefix { entry in
            bytes += entry.size
            return bytes <= mostBytes
        }
        return fitting.isEmpty ? entries.prefix(1) : fitting
    }

    private static func array(_ entries: ArraySlice<AuditEntry>, _ text: (AuditEntry) -> String?) -> String {
        var literal = ArrayLiteral(capacity: 40 * entries.count)
        for entry in entries {
            if var text = text(entry) { text.withUTF8 { literal.add($0) } } else { literal.addNull() }
        }
        return literal.text
    }

    private static func array(_ entries: ArraySlice<AuditEntry>, bytes: (AuditEntry) -> [UInt8]?) -> String {
        var literal = ArrayLiteral(capacity: 40 * entries.count)
        for entry in entries {
            if let bytes = bytes(entry) { bytes.withUnsafeBufferPointer { literal.add($0) } } else { literal.addNull() }
        }
        return literal.text
    }
}

/// The text of a PostgreSQL array in the making (PostgreSQL documentation, section 8.15.2).
struct ArrayLiteral {
    private var bytes: [UInt8] = [UInt8(ascii: "{")]

    init(capacity: Int) { bytes.reserveCapacity(capacity) }

    var text: String { String(decoding: bytes, as: UTF8.self) + "}" }

    mutating func addNull() {
        separate()
        bytes.append(contentsOf: "NULL".utf8)
    }

    /// Adds an element, always quoted.
    mutating func add(_ element: UnsafeBufferPointer<UInt8>) {
        separate()
        bytes.append(UInt8(ascii: "\""))
        var start = 0
        for (index, byte) in element.enumerated() where byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") {
            bytes.append(contentsOf: element[start..<index])
            bytes.append(UInt8(ascii: "\\"))
            start = index
        }
        bytes.append(contentsOf: element[start...])
        bytes.append(UInt8(ascii: "\""))
    }

    private mutating func separate() {
        if bytes.count > 1 { bytes.append(UInt8(ascii: ",")) }
    }
}

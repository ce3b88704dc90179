public import PostgreSQL

/// The patients that a response contains, for the audit.
public enum Disclosure: Sendable {
    /// No patient: the response contains only counts, or is an error.
    case nobody
    /// The patients with these ids.
    case patients(ArrayLiteral)
    /// The statement that stored the attempt has also recorded it, in the same transaction.
    case recorded

    /// An estimate of its size in bytes.
    public var size: Int {
        if case .patients(let ids) = self { ids.size } else { 0 }
    }

    static func patient(_ id: String) -> Disclosure {
        var ids = ArrayLiteral()
        ids.append(id)
        return .patients(ids)
    }
}

extension ArrayLiteral {
    /// Appends the id in `column`, unless it is NULL.
    mutating func append(_ row: Row, _ column: Int) {
        row.withBytes(column) { bytes in
            if let bytes { append(bytes) }
        }
    }
}

public import PostgreSQL

/// The patients that a response contains, for the audit.
public enum Disclosure: Sendable {
    /// Counts, or no patient at all.
    case nobody
    /// The patients with these ids.
    case patients(ArrayLiteral)
    /// The statement that did the work has recorded it, in the same transaction.
    case recorded

    /// About how many bytes it takes.
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
    /// Appends the id in `column`, if there is one.
    mutating func append(_ row: Row, _ column: Int) {
        row.withBytes(column) { bytes in
            if let bytes { append(bytes) }
        }
    }
}

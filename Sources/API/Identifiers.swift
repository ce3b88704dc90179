/// The rules for ids (definitions.md section 1), so that an impossible id needs no database query.
enum Identifiers {
    /// The maximum length in Unicode code points, which are PostgreSQL's characters.
    static let longest = 200

    static func isOrganization(_ id: String) -> Bool { isShort(id) }

    /// An id must be addressable in a path. nginx and browsers resolve `.` and `..`, even between encoded slashes.
    static func isPatient(_ id: String) -> Bool {
        guard isShort(id), !id.utf8.elementsEqual("prioritized".utf8) else { return false }
        return id.utf8.split(separator: UInt8(ascii: "/")).allSatisfy {
            !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8)
        }
    }

    private static func isShort(_ id: String) -> Bool {
        // No text has more code points than bytes, and `utf8.count` takes constant time.
        !id.isEmpty && (id.utf8.count <= longest || id.unicodeScalars.count <= longest)
    }
}

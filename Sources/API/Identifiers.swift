/// The ids that can exist (definitions.md section 1), so that the database need not be asked for others.
enum Identifiers {
    /// The most characters, as PostgreSQL counts them: Unicode code points.
    static let longest = 200

    static func isOrganization(_ id: String) -> Bool { isShort(id) }

    /// None that a path could not address: nginx and browsers resolve `.` and `..`, between encoded slashes too.
    static func isPatient(_ id: String) -> Bool {
        guard isShort(id), !id.utf8.elementsEqual("prioritized".utf8) else { return false }
        return id.utf8.split(separator: UInt8(ascii: "/")).allSatisfy {
            !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8)
        }
    }

    private static func isShort(_ id: String) -> Bool {
        // Few bytes are few characters.
        !id.isEmpty && (id.utf8.count <= longest || id.unicodeScalars.count <= longest)
    }
}

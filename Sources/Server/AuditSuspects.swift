import PostgreSQL

/// The users with a refused audit entry. Their later entries are written before the responses are sent.
///
/// So a response that the audit cannot record is not sent again. It has no clock and no lock.
struct AuditSuspects {
    private struct Person: Hashable {
        let organization: String
        let subject: String
    }

    /// How long a user is remembered after the last refused entry.
    static let remembered = Duration.seconds(600)
    /// The maximum number of users. Beyond it, the one whose refused entry is oldest is forgotten.
    static let most = 1000

    private var until: [Person: ContinuousClock.Instant] = [:]

    mutating func add(_ entry: AuditEntry, now: ContinuousClock.Instant) {
        until = until.filter { now < $0.value }
        if until.count >= Self.most, let first = until.min(by: { $0.value < $1.value }) { until[first.key] = nil }
        until[Self.person(entry)] = now + Self.remembered
    }

    func contains(_ entry: AuditEntry, now: ContinuousClock.Instant) -> Bool {
        guard !until.isEmpty else { return false }
        return until[Self.person(entry)].map { now < $0 } ?? false
    }

    private static func person(_ entry: AuditEntry) -> Person {
        Person(organization: entry.organization, subject: entry.claims.subject)
    }
}

extension AuditEntry {
    /// A row of a PostgreSQL index has at most 2,704 bytes, including the other columns.
    private static let mostOrganizationBytes = 2000

    /// True if PostgreSQL can store it: no text contains a NUL, and the indexed organization fits in an index row. The
    /// token's texts have been bounded before (definitions.md section 7).
    var isWritable: Bool {
        let texts = [
            organization, claims.subject, claims.sessionID, claims.organizationRole, claims.actor, address, requestID,
            method,
            route,
        ]
        return organization.utf8.count <= Self.mostOrganizationBytes
            && texts.allSatisfy { $0?.utf8.contains(0) != true }
            && filter.allSatisfy { !$0.value.utf8.contains(0) }
            && patients?.contains(0) != true
    }
}

extension PostgreSQLError {
    /// True if PostgreSQL would refuse the same values again: the data do not fit (class 22), violate a constraint (23)
    /// or exceed a limit of a row or an index (54).
    var isAboutTheData: Bool {
        if case .refused(let state, _) = self { ["22", "23", "54"].contains(state.conditionClass) } else { false }
    }

    /// The error without PostgreSQL's text, which may quote an entry's values.
    var withoutText: PostgreSQLError {
        switch self {
        case .refused(let state, _): .refused(state, Self.withheld)
        case .unavailable(let state, _): .unavailable(state, Self.withheld)
        default: self
        }
    }

    private static let withheld = "the audit takes no entry; PostgreSQL's log says more"
}

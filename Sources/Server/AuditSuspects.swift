import PostgreSQL

/// The people whose entries are written before their responses are sent, since the audit has refused one of their
/// entries. It has no clock and no lock.
///
/// So a response that the audit cannot record is sent once, and not again.
struct AuditSuspects {
    private struct Person: Hashable {
        let organization: String
        let subject: String
    }

    /// How long after the last entry that was refused.
    static let remembered = Duration.seconds(600)
    /// The most people remembered. The first one whose entry was refused is forgotten first.
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
    /// PostgreSQL's index row has at most 2,704 bytes, with the other columns.
    private static let mostOrganizationBytes = 2000

    /// Whether PostgreSQL can have it at all: its texts hold no NUL, and the one that has an index is not longer than
    /// that takes. A token's are bounded before (definitions.md section 7).
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
    /// Whether the same values will surely be refused again: data that do not fit (class 22), break a rule (23) or are
    /// too much for a row or an index (54).
    var isAboutTheData: Bool {
        if case .refused(let state, _) = self { ["22", "23", "54"].contains(state.conditionClass) } else { false }
    }

    /// PostgreSQL's own text may quote the values of an entry.
    var withoutText: PostgreSQLError {
        switch self {
        case .refused(let state, _): .refused(state, Self.withheld)
        case .unavailable(let state, _): .unavailable(state, Self.withheld)
        default: self
        }
    }

    private static let withheld = "the audit takes no entry; PostgreSQL's log says more"
}

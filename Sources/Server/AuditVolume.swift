import Threads

/// Counts the audit's bytes, and the organizations that have exceeded their daily share.
///
/// No request is refused beyond the share. Entries then store length and digest instead of a client's texts
/// (docs/running.md, `AUDIT_DAILY_MB`). Each process has its own counts, and a day is a day in UTC.
final class AuditVolume: Sendable {
    struct Statistics {
        /// The bytes of entries and of stored outreach attempts since the start.
        var ofEntries = 0
        var ofAttempts = 0
        /// The number of organizations beyond their share today.
        var beyond = 0
    }

    private struct State {
        var statistics = Statistics()
        var day = 0
        var ofDay: [String: Int] = [:]
    }

    /// The maximum number of organizations with their own count on one day. Further ones share one count.
    private static let mostOrganizations = 10_000
    private let most: Int
    private let state = Monitor(State())

    /// - Parameter megabytes: the daily share of one organization.
    init(megabytes: Int) { most = megabytes * 1_000_000 }

    var statistics: Statistics { state.withLock { $0.statistics } }

    /// Counts an entry, and returns the entry to store.
    func fit(_ entry: AuditEntry, day: Int = Int(wallClock() / 86400)) -> AuditEntry {
        let bytes = entry.storedBytes
        let isBeyond = state.withLock { state in
            state.statistics.ofEntries += bytes
            return add(bytes, of: entry.organization, day, &state)
        }
        return isBeyond ? entry.withDigests : entry
    }

    /// Counts a stored outreach attempt. It is never shortened, because the database writes its entry.
    func addAttempt(bytes: Int) { state.withLock { $0.statistics.ofAttempts += bytes } }

    /// Adds to an organization's count. True if it is beyond its share then.
    private func add(_ bytes: Int, of organization: String, _ day: Int, _ state: inout State) -> Bool {
        if state.day != day { (state.day, state.ofDay, state.statistics.beyond) = (day, [:], 0) }
        let isKnown = state.ofDay[organization] != nil || state.ofDay.count < Self.mostOrganizations
        let name = isKnown ? organization : ""
        let before = state.ofDay[name, default: 0]
        state.ofDay[name] = before + bytes
        if before <= most, before + bytes > most { state.statistics.beyond += 1 }
        return before + bytes > most
    }
}

extension AuditEntry {
    /// An estimate of the bytes of its row: a constant part and its texts.
    var storedBytes: Int {
        let texts = [
            organization, claims.subject, claims.sessionID, claims.organizationRole, claims.actor, address, requestID,
            serverRequestID, route, patientSought, problem,
        ]
        return 150 + texts.reduce(patients?.count ?? 0) { $0 + min($1?.utf8.count ?? 0, 1200) }
            + filter.reduce(0) { $0 + $1.name.utf8CodeUnitCount + $1.value.utf8.count + 8 }
    }

    /// The same entry, with length and digest instead of the client's texts.
    var withDigests: AuditEntry {
        AuditEntry(
            time: time, status: status, claims: claims, address: address,
            requestID: AuditText.digested(requestID),
            serverRequestID: serverRequestID, isAutomatic: isAutomatic, method: method, route: route,
            filter: filter.map { ($0.name, AuditText.digested($0.value)) }, patients: patients,
            patientSought: patientSought.map(AuditText.digested), problem: problem)
    }
}

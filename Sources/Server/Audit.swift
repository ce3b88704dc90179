import API
import PostgreSQL
import Threads

/// Records in the audit: responses, attempts of unknown clients, and the server's own start and stop.
///
/// With `AUDIT=off` it records only the server's start and stop. The database still records outreach attempts.
struct Audit: Sendable {
    let trail: AuditTrail
    let volume: AuditVolume
    private let run: ServerEntry
    private let refusals: RefusedAttempts

    init(trail: AuditTrail, volume: AuditVolume, run: ServerEntry) {
        (self.trail, self.volume, self.run) = (trail, volume, run)
        refusals = RefusedAttempts { trail.record(volume.fit($0)) }
    }

    /// The reason why required entries cannot be recorded at present. Nil if they can.
    var trouble: PostgreSQLError? { run.isAudited ? trail.trouble : nil }

    func start() throws(Thread.StartError) {
        try trail.start()
        try refusals.start()
        _ = trail.record(run.entry(.begins))
    }

    /// Accepts the entry of a response before the response is sent. False if the response must not be sent.
    func record(_ entry: AuditEntry) -> Bool { !run.isAudited || trail.record(volume.fit(entry)) }

    /// Counts a 401 response to an unknown client.
    func refuse(_ attempt: RefusedAttempt) {
        if run.isAudited { refusals.note(attempt) }
    }

    /// Adds a stored outreach attempt to the byte counts.
    func note(_ observation: Observation) {
        if observation.status == 201 { volume.addAttempt(bytes: observation.received) }
    }

    /// Writes all entries, and returns the number that could not be written by `deadline`.
    func stop(by deadline: ContinuousClock.Instant) -> Int {
        refusals.stop()
        _ = trail.record(run.entry(.ends))
        return trail.stop(by: deadline)
    }
}

import API
import PostgreSQL
import Threads

/// All that records: answers, who was refused without being known, and the server's own beginning and end.
///
/// Where it is off, nothing but the last of these is recorded, and an attempt with itself.
struct Audit: Sendable {
    let trail: AuditTrail
    let volume: AuditVolume
    private let run: ServerEntry
    private let refusals: RefusedAttempts

    init(trail: AuditTrail, volume: AuditVolume, run: ServerEntry) {
        (self.trail, self.volume, self.run) = (trail, volume, run)
        refusals = RefusedAttempts { trail.record(volume.fit($0)) }
    }

    /// Why required entries cannot be recorded at present; nil if they can.
    var trouble: PostgreSQLError? { run.isAudited ? trail.trouble : nil }

    func start() throws(Thread.StartError) {
        try trail.start()
        try refusals.start()
        _ = trail.record(run.entry(.begins))
    }

    /// Accepts the entry of a response that is about to be sent; false if that must not be sent.
    func record(_ entry: AuditEntry) -> Bool { !run.isAudited || trail.record(volume.fit(entry)) }

    /// Counts a response 401 to an unknown client.
    func refuse(_ attempt: RefusedAttempt) {
        if run.isAudited { refusals.note(attempt) }
    }

    /// Counts the bytes of stored outreach attempts.
    func note(_ observation: Observation) {
        if observation.status == 201 { volume.addAttempt(bytes: observation.received) }
    }

    /// Has everything written, and returns how many entries could not be by `deadline`.
    func stop(by deadline: ContinuousClock.Instant) -> Int {
        refusals.stop()
        _ = trail.record(run.entry(.ends))
        return trail.stop(by: deadline)
    }
}

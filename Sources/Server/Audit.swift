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

    /// Why nothing can be recorded at present that has to be; nil where nothing keeps it.
    var trouble: PostgreSQLError? { run.isAudited ? trail.trouble : nil }

    func start() throws(Thread.StartError) {
        try trail.start()
        try refusals.start()
        _ = trail.record(run.entry(.begins))
    }

    /// Takes in what is about to be answered, or says that it must not be.
    func record(_ entry: AuditEntry) -> Bool { !run.isAudited || trail.record(volume.fit(entry)) }

    /// Counts whom nobody knows and who was answered 401.
    func refuse(_ attempt: RefusedAttempt) {
        if run.isAudited { refusals.note(attempt) }
    }

    /// Counts the bytes of what was logged.
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

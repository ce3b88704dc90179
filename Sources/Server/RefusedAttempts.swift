import API
import JWT
import Threads

/// A request that was answered 401: nobody knows who asked.
struct RefusedAttempt: Sendable {
    /// What attempts are counted together by.
    struct Kind: Hashable, Sendable {
        let problem: String
        /// What is wrong with the token, in one of the verifier's sentences.
        var reason: String?
        var address: String?
        var organization: String?
        var patient: String?

        /// Byte by byte: `String`'s own `==` takes composed and decomposed letters for equal.
        private var texts: [[UInt8]?] {
            [problem, reason, address, organization, patient].map { $0.map { Array($0.utf8) } }
        }

        static func == (a: Kind, b: Kind) -> Bool { a.texts == b.texts }
        func hash(into hasher: inout Hasher) { hasher.combine(texts) }
    }

    var kind: Kind
    let requestID: String
    let serverRequestID: String
    let method: String
    let route: String
}

/// Keeps what was answered 401 in the audit, counted together by the minute, so that nobody fills a disk who has no token.
///
/// Of a kind of attempt the first is recorded within a second, and all others of its minute with that minute's end.
/// There are only so many kinds a minute, and of one address fewer: what is beyond is counted with less of it. So no
/// address hides what another does, unless there are many of them.
final class RefusedAttempts: Sendable {
    /// Takes an entry in, or says that it has no room at present.
    typealias Audit = @Sendable (AuditEntry) -> Bool

    private let audit: Audit
    private let state = Monitor((tally: RefusalTally(), isStopped: false))

    private static let linger = Duration.seconds(1)
    private static let longest = Duration.seconds(3600)

    init(audit: @escaping Audit) { self.audit = audit }

    /// Counts an attempt.
    func note(_ attempt: RefusedAttempt) {
        let wakes = state.withLock { state in
            defer { state.tally.note(attempt, at: wallClock(), now: .now) }
            return state.tally.isEmpty
        }
        if wakes { state.notifyAll() }
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try Thread.start { [self] in
            while waitForAttempts() { record(atEnd: false) }
        }.detach()
    }

    /// Hands on what has been counted, and lets the thread end.
    func stop() {
        state.withLock { $0.isStopped = true }
        state.notifyAll()
        record(atEnd: true)
    }

    /// False once it is to stop.
    private func waitForAttempts() -> Bool {
        _ = state.wait(until: .now + Self.longest) { $0.isStopped || !$0.tally.isEmpty ? true : nil }
        return state.wait(until: .now + Self.linger) { $0.isStopped ? true : nil } == nil
    }

    private func record(atEnd: Bool) {
        for (attempt, count) in state.withLock({ $0.tally.due(now: .now, atEnd: atEnd) }) {
            guard !audit(AuditEntry(attempt, count)) else { continue }
            state.withLock { $0.tally.putBack(attempt, count) }
        }
    }
}

/// Attempts of one minute by their kind, without a lock or a thread.
struct RefusalTally {
    struct Count {
        var attempts = 0
        var first: Double
        var last: Double
    }

    /// The most kinds in a minute, and the most of one address among them.
    static let mostKinds = 100
    static let mostOfAddress = 50
    private static let minute = Duration.seconds(60)

    private var counts: [RefusedAttempt.Kind: (attempt: RefusedAttempt, count: Count)] = [:]
    /// The kinds of this minute, and how many of them each address has.
    private var kinds: Set<RefusedAttempt.Kind> = []
    private var recorded: Set<RefusedAttempt.Kind> = []
    private var ofAddress: [String: Int] = [:]
    private var began: ContinuousClock.Instant?

    /// Whether nothing waits to be recorded.
    var isEmpty: Bool { counts.isEmpty }

    mutating func note(_ attempt: RefusedAttempt, at time: Double, now: ContinuousClock.Instant) {
        if began == nil { began = now }
        var attempt = attempt
        attempt.kind = admitted(attempt.kind)
        add(attempt, Count(attempts: 1, first: time, last: time))
    }

    /// The kind, or as much of it as there is room for.
    private mutating func admitted(_ kind: RefusedAttempt.Kind) -> RefusedAttempt.Kind {
        if kinds.contains(kind) { return kind }
        let address = kind.address ?? ""
        if kinds.count < Self.mostKinds, ofAddress[address, default: 0] < Self.mostOfAddress {
            ofAddress[address, default: 0] += 1
            kinds.insert(kind)
            return kind
        }
        var less = kind
        (less.reason, less.organization, less.patient) = (nil, nil, nil)
        if !kinds.contains(less), kinds.count >= Self.mostKinds { less.address = nil }
        // As many more as there are problems with tokens.
        kinds.insert(less)
        return less
    }

    /// What is to be recorded by now: kinds that are new in their minute, and at its end all.
    mutating func due(now: ContinuousClock.Instant, atEnd: Bool) -> [(RefusedAttempt, Count)] {
        let isOver = atEnd || (began.map { $0.duration(to: now) >= Self.minute } ?? false)
        let due = counts.filter { isOver || !recorded.contains($0.key) }
        for kind in due.keys { counts[kind] = nil }
        recorded.formUnion(due.keys)
        if isOver { (kinds, recorded, ofAddress, began) = ([], [], [:], nil) }
        return due.values.map { ($0.attempt, $0.count) }
    }

    /// Counts what could not be recorded once more.
    mutating func putBack(_ attempt: RefusedAttempt, _ count: Count) {
        kinds.insert(attempt.kind)
        add(attempt, count)
    }

    private mutating func add(_ attempt: RefusedAttempt, _ count: Count) {
        guard let known = counts[attempt.kind] else {
            counts[attempt.kind] = (attempt, count)
            return
        }
        let sum = Count(
            attempts: known.count.attempts + count.attempts, first: min(known.count.first, count.first),
            last: max(known.count.last, count.last))
        counts[attempt.kind] = (known.attempt, sum)
    }
}

extension RefusedAttempt {
    /// The attempt that an answer has refused; nil where it was none.
    init?(_ response: Response, _ incoming: Incoming, _ record: Pipeline.Record) {
        guard response.status == 401, let route = record.route, let problem = record.problem else { return nil }
        kind = Kind(
            problem: problem.kind.rawValue, reason: problem.detail, address: incoming.address.map(AddressClass.of),
            organization: record.organizationSought.map(AuditText.digested),
            patient: record.patientSought.map(AuditText.digested))
        requestID = incoming.requestID
        serverRequestID = incoming.serverRequestID
        method = incoming.request.method
        self.route = route
    }
}

extension AuditEntry {
    /// The entry of attempts of one kind, with what the first of them was.
    convenience init(_ attempt: RefusedAttempt, _ count: RefusalTally.Count) {
        let kind = attempt.kind
        var filter: [(name: StaticString, value: String)] = [
            ("attempts", String(count.attempts)), ("first", timestamp(count.first)), ("last", timestamp(count.last)),
        ]
        if let reason = kind.reason { filter.append(("reason", reason)) }
        if let organization = kind.organization { filter.append(("org_id", organization)) }
        self.init(
            time: count.last, status: 401, principal: .nobody, address: kind.address, requestID: attempt.requestID,
            serverRequestID: attempt.serverRequestID, method: attempt.method, route: attempt.route, filter: filter,
            patientSought: kind.patient, problem: kind.problem)
    }
}

extension Principal {
    /// Of whom nothing is known.
    static let nobody = Principal(Claims(subject: "", expiresAt: 0))
}

import API
import JWT
import Threads

/// A request that was answered 401, so that its client is unknown.
struct RefusedAttempt: Sendable {
    /// The values that attempts are counted together by.
    struct Kind: Hashable, Sendable {
        let problem: String
        /// The error of the token, in one of the verifier's sentences.
        var reason: String?
        var address: String?
        var organization: String?
        var patient: String?

        /// Compared byte by byte, since `String`'s own `==` equates composed and decomposed letters.
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

/// Records responses 401 in the audit, counted together by the minute, so that a client without a token cannot fill a
/// disk.
///
/// The first attempt of a kind is recorded within a second, and the others of its minute at that minute's end. The
/// kinds of a minute are limited, and those of one address more so. Beyond that, attempts are counted with fewer
/// details. So no single address can hide the attempts of another.
final class RefusedAttempts: Sendable {
    /// Accepts an entry. False if it has no room at present.
    typealias Audit = @Sendable (AuditEntry) -> Bool

    private let audit: Audit
    private let tally = Monitor(RefusalTally())
    private let loop = ThreadLoop()

    /// How long attempts are counted before those of a new kind are recorded.
    private static let linger = Duration.seconds(1)

    init(audit: @escaping Audit) { self.audit = audit }

    /// Counts an attempt.
    func note(_ attempt: RefusedAttempt) {
        let wakes = tally.withLock { tally in
            defer { tally.note(attempt, at: wallClock(), now: .now) }
            return tally.isEmpty
        }
        if wakes { loop.wake() }
    }

    /// Starts the thread.
    func start() throws(Thread.StartError) {
        try loop.start(for: "the refused attempts", first: .whenWoken) { [self] in
            guard loop.pause(Self.linger) else { return .never }
            record(atEnd: false)
            return tally.withLock { $0.isEmpty } ? .whenWoken : .after(.zero)
        }
    }

    /// Records all that has been counted, and has the thread end.
    func stop() {
        loop.stop()
        record(atEnd: true)
    }

    private func record(atEnd: Bool) {
        for (attempt, count) in tally.withLock({ $0.due(now: .now, atEnd: atEnd) }) {
            guard !audit(AuditEntry(attempt, count)) else { continue }
            tally.withLock { $0.putBack(attempt, count) }
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

    /// The kind, with as many of its values as there is room for.
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

    /// The attempts to record now: kinds that are new in their minute, and all at its end.
    mutating func due(now: ContinuousClock.Instant, atEnd: Bool) -> [(RefusedAttempt, Count)] {
        let isOver = atEnd || (began.map { $0.duration(to: now) >= Self.minute } ?? false)
        let due = counts.filter { isOver || !recorded.contains($0.key) }
        for kind in due.keys { counts[kind] = nil }
        recorded.formUnion(due.keys)
        if isOver { (kinds, recorded, ofAddress, began) = ([], [], [:], nil) }
        return due.values.map { ($0.attempt, $0.count) }
    }

    /// Counts attempts again that could not be recorded.
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
    /// The attempt that a response has refused. Nil if it has refused none.
    init?(_ response: Response, _ incoming: Incoming, _ record: RequestRecord) {
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
    /// The entry of attempts of one kind, with the data of the first.
    convenience init(_ attempt: RefusedAttempt, _ count: RefusalTally.Count) {
        let kind = attempt.kind
        var filter: [(name: StaticString, value: String)] = [
            ("attempts", String(count.attempts)), ("first", timestamp(count.first)), ("last", timestamp(count.last)),
        ]
        if let reason = kind.reason { filter.append(("reason", reason)) }
        if let organization = kind.organization { filter.append(("org_id", organization)) }
        self.init(
            time: count.last, status: 401, claims: .unknown, address: kind.address, requestID: attempt.requestID,
            serverRequestID: attempt.serverRequestID, method: attempt.method, route: attempt.route, filter: filter,
            patientSought: kind.patient, problem: kind.problem)
    }
}

extension Claims {
    /// Those of a client without a valid token.
    static let unknown = Claims(subject: "", expiresAt: 0)
}

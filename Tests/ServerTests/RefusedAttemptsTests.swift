import JWT
import Testing
import Threads

@testable import Server

@Suite("Attempts without a valid token")
struct RefusedAttemptsTests {
    private static func attempt(
        _ organization: String? = "o", patient: String? = nil, address: String = "192.0.2.1",
        problem: String = "token-missing",
        id: String = "r"
    ) -> RefusedAttempt {
        RefusedAttempt(
            kind: .init(
                problem: problem, reason: "Why.", address: address, organization: organization, patient: patient),
            requestID: id, serverRequestID: "s", method: "GET", route: "/r")
    }

    @Test("An attempt is reported with problem, reason, address and patient, and is not an entry of a user")
    func noticed() throws {
        let harness = try Harness()
        #expect(harness.serve(Ask(target: "/api/v1/reengagement/org_9/patients/p_9")).status == 401)
        #expect(
            harness.serve(Ask(target: "/api/v1/reengagement/org_9/trends", authorization: "Bearer a.b.c")).status == 401
        )
        #expect(harness.serve(Ask(target: "/api/v1/reengagement/org_9/nothing")).status == 404)
        #expect(harness.entries.isEmpty)
        #expect(harness.refused.map(\.kind.problem) == ["token-missing", "token-invalid"])
        #expect(harness.refused.map(\.kind.patient) == ["p_9", nil])
        #expect(harness.refused.allSatisfy { $0.kind.organization == "org_9" && $0.kind.address == "192.0.2.1" })
        #expect(harness.refused.map(\.requestID) == ["request-1", "request-1"])
        #expect(harness.refused[1].kind.reason?.hasPrefix("A segment of the token") == true)
    }

    @Test("The first attempt of a kind is recorded at once, and the others of its minute as one")
    func folding() throws {
        var tally = RefusalTally()
        let now = ContinuousClock.now
        tally.note(Self.attempt(id: "first"), at: 1, now: now)
        tally.note(Self.attempt(id: "second"), at: 2, now: now)
        let first = tally.due(now: now, atEnd: false)
        #expect(first.map(\.0.requestID) == ["first"] && first.map(\.1.attempts) == [2])
        for second in 3...40 { tally.note(Self.attempt(), at: Double(second), now: now) }
        tally.note(Self.attempt("other"), at: 41, now: now)
        #expect(tally.due(now: now, atEnd: false).map(\.0.kind.organization) == ["other"])
        #expect(tally.due(now: now + .seconds(59), atEnd: false).isEmpty)
        let rest = tally.due(now: now + .seconds(60), atEnd: false)
        #expect(rest.map(\.1.attempts) == [38] && rest.map(\.1.first) == [3] && rest.map(\.1.last) == [40])
        #expect(tally.isEmpty)
        tally.note(Self.attempt(id: "later"), at: 100, now: now + .seconds(61))
        #expect(tally.due(now: now + .seconds(62), atEnd: false).map(\.0.requestID) == ["later"], "a new minute begins")
    }

    @Test("The number of entries is limited, and one address cannot hide the attempts of another")
    func bounds() {
        var tally = RefusalTally()
        let now = ContinuousClock.now
        for number in 0..<10_000 { tally.note(Self.attempt("o\(number)"), at: 1, now: now) }
        tally.note(Self.attempt("aimed at", address: "192.0.2.2"), at: 1, now: now)
        var due = tally.due(now: now, atEnd: false)
        #expect(due.count == RefusalTally.mostOfAddress + 2)
        #expect(due.contains { $0.0.kind.organization == "aimed at" })
        let folded = due.filter { $0.0.kind.organization == nil }
        #expect(folded.map(\.1.attempts) == [10_000 - RefusalTally.mostOfAddress])
        #expect(folded.map(\.0.kind.address) == ["192.0.2.1"])
        for number in 0..<10_000 { tally.note(Self.attempt("o\(number)", address: "a\(number)"), at: 1, now: now) }
        due = tally.due(now: now + .seconds(60), atEnd: false)
        #expect(due.count <= RefusalTally.mostKinds + 5)
        #expect(due.reduce(0) { $0 + $1.1.attempts } == 10_000, "each is counted")
    }

    @Test("Ids with composed and with decomposed letters are different")
    func bytes() {
        var tally = RefusalTally()
        for id in ["\u{E9}", "e\u{301}"] { tally.note(Self.attempt(id), at: 1, now: .now) }
        #expect(tally.due(now: .now, atEnd: true).count == 2)
    }

    @Test("Attempts that the audit cannot accept are counted again")
    func putBack() throws {
        let taken = Monitor((entries: [AuditEntry](), admits: false))
        let refused = RefusedAttempts { entry in
            taken.withLock { state in
                if state.admits { state.entries.append(entry) }
                return state.admits
            }
        }
        for id in ["first", "second"] { refused.note(Self.attempt("o", patient: "p", id: id)) }
        refused.stop()
        #expect(taken.withLock { $0.entries.isEmpty })
        taken.withLock { $0.admits = true }
        refused.stop()
        let entry = try #require(taken.withLock { $0.entries }.first)
        #expect(entry.status == 401 && entry.organization.isEmpty && entry.claims.subject.isEmpty)
        #expect(entry.patientSought == "p" && entry.problem == "token-missing" && entry.requestID == "first")
        #expect(entry.filter.map(\.value).contains("2") && entry.filter.last?.value == "o")
    }

    @Test(
        "An address is recorded as IPv4 or as a /64",
        arguments: [
            ("192.0.2.1", "192.0.2.1"), ("::1", "::/64"), ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
            ("::ffff:192.0.2.1", "192.0.2.1"), ("::FFFF:192.0.2.1", "192.0.2.1"), ("unix:", "unix:"), ("", ""),
        ])
    func addresses(address: String, expected: String) { #expect(AddressClass.of(address) == expected) }
}

@Suite("The volume of the audit")
struct AuditVolumeTests {
    private static func entry(_ organization: String, sought: String) -> AuditEntry {
        AuditEntry(
            time: 1, status: 404,
            claims: Claims(subject: "u", organization: organization, expiresAt: 9e9),
            address: nil, requestID: "r", serverRequestID: "s", method: "GET", route: "r",
            filter: [("patient_id", sought), ("limit", "5")], patientSought: sought)
    }

    @Test("Beyond its daily share, an organization's entries have length and digest in the place of clients' texts")
    func share() {
        let volume = AuditVolume(megabytes: 1)
        let sought = String(repeating: "\u{1F600}", count: 200)
        var recorded: [String?] = []
        for _ in 0..<1000 { recorded.append(volume.fit(Self.entry("o", sought: sought), day: 1).patientSought) }
        let whole = recorded.prefix { $0 == sought }.count
        #expect((400...600).contains(whole), "some 1,800 bytes each")
        let digest = "200 characters, sha256 be0dd5625e999de4a629c08e0d2f7d8005c8fce643c7e469066c249d0bd51978"
        #expect(recorded.dropFirst(whole).allSatisfy { $0 == digest })
        let beyond = volume.fit(Self.entry("o", sought: sought), day: 1)
        #expect(beyond.filter.map(\.value) == [digest, "5"] && beyond.claims.subject == "u")
        #expect(volume.fit(Self.entry("o", sought: "p_1"), day: 1).patientSought == "p_1", "the digest would be longer")
        #expect(volume.fit(Self.entry("other", sought: sought), day: 1).patientSought == sought)
        #expect(volume.statistics.beyond == 1 && volume.statistics.ofEntries > 1_000_000)
        #expect(
            volume.fit(Self.entry("o", sought: sought), day: 2).patientSought == sought, "a new day has a new share")
        #expect(volume.statistics.beyond == 0)
    }

    @Test("The bytes of logged attempts are counted")
    func attempts() {
        let volume = AuditVolume(megabytes: 1)
        volume.addAttempt(bytes: 7)
        #expect(volume.statistics.ofAttempts == 7)
    }
}

@Suite("The entries of a server")
struct ServerEntryTests {
    @Test("A start and a stop are recorded with the address and the state of the audit, without an organization")
    func entries() throws {
        let run = ServerEntry(isAudited: false, listen: "/run/s.sock")
        let (begin, end) = (run.entry(.begins), run.entry(.ends))
        #expect(begin.serverRequestID == end.serverRequestID)
        #expect(begin.method == "SERVER" && begin.organization.isEmpty && begin.patients == nil)
        #expect(
            begin.filter.map(\.value).prefix(2) == ["begins", "off"]
                && end.filter.map(\.value).prefix(2) == ["ends", "off"])
        #expect(begin.filter.contains { $0.value == "/run/s.sock" })
        #expect(ServerEntry(isAudited: true, listen: "").entry(.begins).filter[1].value == "on")
    }
}

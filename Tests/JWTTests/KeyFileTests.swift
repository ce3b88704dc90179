import Foundation
import Testing

@testable import JWT

/// Records the events of a key set.
// @unchecked: the events are used only while the lock is held. (ThreadSanitizer does not see `Mutex`.)
final class Events: @unchecked Sendable {
    private let lock = NSLock()
    private var events: [KeyEvent] = []

    var all: [KeyEvent] { lock.withLock { events } }
    var report: @Sendable (KeyEvent) -> Void { { event in self.lock.withLock { self.events.append(event) } } }
    var failures: Int {
        all.count { if case .failed = $0 { true } else { false } }
    }
}

/// Waits until the condition is true, for at most a minute.
func eventually(_ condition: () -> Bool) -> Bool {
    let deadline = ContinuousClock.now + .seconds(60)
    while ContinuousClock.now < deadline {
        if condition() { return true }
        usleep(5_000)
    }
    return condition()
}

@Suite struct KeyFileTests {
    private let folder: TemporaryFolder
    private let path: String
    private let first = SigningKey.first.jwk("first")
    private let second = SigningKey.second.jwk("second")
    private let firstToken = Token().text
    private let secondToken = Token(header: ["kid": "\"second\""], key: .second).text

    init() throws {
        folder = try TemporaryFolder()
        path = try folder.write(jwks(SigningKey.first.jwk("first")), to: "jwks.json")
    }

    private func verifier(_ keys: KeySet) -> Verifier { Verifier(keys: keys, policy: Policy(issuer: issuer)) }

    @Test("Only the key with the token's kid verifies it")
    func byKeyID() throws {
        try folder.write(jwks(first, second), to: "jwks.json")
        let keys = try KeySet.quiet(.jwksFile(path))
        let verifier = verifier(keys)
        #expect(verifier.reason(firstToken) == nil)
        #expect(verifier.reason(secondToken) == nil)
        #expect(verifier.reason(Token(header: ["kid": "\"second\""]).text) == .invalid(.signature))
        #expect(verifier.reason(Token(header: ["kid": nil]).text) == .invalid(.keyIDMissing))
        #expect(verifier.reason(Token(header: ["kid": "\"third\""]).text) == .invalid(.keyUnknown))
        #expect(verifier.reason(Token(header: ["kid": "\"\""]).text) == .invalid(.keyUnknown))
        #expect(verifier.reason(Token(header: ["kid": "\"FIRST\""]).text) == .invalid(.keyUnknown))
    }

    @Test("A token of a new key is accepted at once, and one of a removed key is soon refused")
    func rotation() throws {
        let keys = try KeySet.quiet(.jwksFile(path))
        let verifier = verifier(keys)
        #expect(verifier.reason(firstToken) == nil)
        #expect(verifier.reason(secondToken) == .invalid(.keyUnknown))
        try folder.write(jwks(second), to: "jwks.json")
        #expect(verifier.reason(secondToken) == nil)
        #expect(verifier.reason(firstToken) == .invalid(.keyUnknown))
        #expect(keys.generation == 1)
    }

    @Test("A cached token is removed when the file changes, without a request for an unknown key")
    func cachedTokenIsRemoved() throws {
        let keys = try KeySet.quiet(.jwksFile(path))
        let verifier = verifier(keys)
        #expect(verifier.reason(firstToken) == nil)
        #expect(verifier.reason(firstToken) == nil)
        #expect(verifier.cacheStatistics.hits == 1)
        try folder.write(jwks(SigningKey.third.jwk("first")), to: "jwks.json")
        #expect(eventually { keys.generation == 1 })
        #expect(verifier.reason(firstToken) == .invalid(.signature))
    }

    @Test("The same keys in another spelling are no change")
    func sameKeys() throws {
        try folder.write(jwks(first, second), to: "jwks.json")
        let keys = try KeySet.quiet(.jwksFile(path))
        try folder.write(jwks(second, first) + "\n\n", to: "jwks.json")
        #expect(verifier(keys).reason(Token(header: ["kid": "\"third\""]).text) == .invalid(.keyUnknown))
        #expect(keys.generation == 0)
    }

    @Test("A broken or missing file leaves the old keys in force, is reported once, and can be repaired")
    func broken() throws {
        let events = Events()
        var pace = FetchSchedule.Pace.file
        pace.interval = .milliseconds(20)
        let keys = try KeySet.quiet(.jwksFile(path), pace: pace, report: events.report)
        let verifier = verifier(keys)
        try folder.write("{\"keys\":", to: "jwks.json")
        #expect(eventually { events.failures == 1 })
        usleep(200_000)
        #expect(events.failures == 1)
        #expect(verifier.reason(firstToken) == nil)
        try FileManager.default.removeItem(atPath: path)
        #expect(eventually { events.failures == 2 })
        #expect(verifier.reason(Token(["sub": "\"user_2\""]).text) == nil)
        try folder.write(jwks(second), to: "jwks.json")
        #expect(eventually { events.all.last == .recovered })
        #expect(verifier.reason(secondToken) == nil)
        #expect(events.all.contains(.changed(keys: 1, skipped: [])))
    }

    @Test("A set without keys withdraws all keys and cached tokens, and is valid at the start")
    func withdrawn() throws {
        let keys = try KeySet.quiet(.jwksFile(path))
        let verifier = verifier(keys)
        for set in [jwks(), jwks(SigningKey.first.jwk("first", ["use": "\"enc\""]))] {
            try folder.write(jwks(first), to: "jwks.json")
            #expect(eventually { verifier.reason(firstToken) == nil })
            try folder.write(set, to: "jwks.json")
            #expect(eventually { verifier.reason(firstToken) == .invalid(.keyUnknown) })
            #expect(keys.statistics.keys == 0 && keys.statistics.failures == 0)
        }
        try folder.write(jwks(), to: "jwks.json")
        #expect(throws: Never.self) { try KeySet.check(.jwksFile(path)) }
    }

    @Test(
        "Keys of a file that cannot be read expire after the maximum age",
        arguments: ["gone", "broken", "elsewhere", "others'"])
    func tooOld(_ how: String) throws {
        let events = Events()
        let keys = try KeySet.quiet(.jwksFile(path), maxAge: .seconds(10), report: events.report)
        let verifier = verifier(keys)
        usleep(12_000_000)
        #expect(verifier.reason(firstToken) == nil)
        try FileManager.default.removeItem(atPath: path)
        switch how {
        case "broken": try folder.write("{", to: "jwks.json")
        case "elsewhere": try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: "/nowhere")
        case "others'":
            try folder.write(jwks(first), to: "jwks.json")
            #expect(chmod(path, 0o646) == 0)
        default: break
        }
        #expect(eventually { events.failures == 1 })
        #expect(eventually { verifier.reason(firstToken) == .keysUnavailable })
        #expect(keys.statistics.keys == 0 && keys.statistics.age > 10)
        #expect(eventually { events.all.contains(.tooOld) })
        unlink(path)
        try folder.write(jwks(first), to: "jwks.json")
        #expect(eventually { verifier.reason(firstToken) == nil })
    }

    @Test("A requested reading runs at once, regardless of the schedule, and each result is reported")
    func readAgain() throws {
        let events = Events()
        var pace = FetchSchedule.Pace.file
        pace.interval = .seconds(3600)
        let keys = try KeySet.quiet(.jwksFile(path), pace: pace, report: events.report)
        #expect(events.all == [.changed(keys: 1, skipped: [])])
        keys.readAgain()
        #expect(eventually { events.all.last == .readAgain(keys: 1, areNew: false) })
        try folder.write(jwks(first, second), to: "jwks.json")
        keys.readAgain()
        #expect(eventually { events.all.last == .readAgain(keys: 2, areNew: true) })
        #expect(keys.generation == 1 && verifier(keys).reason(secondToken) == nil)
        try folder.write("{", to: "jwks.json")
        for failures in 1...2 {
            keys.readAgain()
            #expect(eventually { events.failures == failures })
        }
        #expect(verifier(keys).reason(secondToken) == nil)
        try folder.write(jwks(first), to: "jwks.json")
        keys.readAgain()
        #expect(eventually { events.all.last == .readAgain(keys: 1, areNew: true) })
    }

    @Test("A key in the variable itself cannot be read again, which is reported")
    func fixed() throws {
        let events = Events()
        let keys = try KeySet.quiet(.pem(SigningKey.first.publicPEM), report: events.report)
        keys.readAgain()
        #expect(events.all.last == .fixed)
    }

    @Test("Without permission to wait, an unknown key is reported as not there yet")
    func noWaiting() throws {
        var pace = FetchSchedule.Pace.url
        pace.interval = .seconds(3600)
        let keys = try KeySet.quiet(.jwksFile(path), pace: pace)
        let verifier = verifier(keys)
        func reason(_ token: String, mayWait: Bool) -> TokenError? {
            do throws(TokenError) {
                _ = try verifier.verify(Array(token.utf8), now: now, mayWait: mayWait)
                return nil
            } catch {
                return error
            }
        }
        #expect(reason(firstToken, mayWait: false) == nil)
        #expect(reason(secondToken, mayWait: false) == .keyNotYetFetched)
        #expect(reason(secondToken, mayWait: true) == .invalid(.keyUnknown))
        // No new key is available for a while, so no request would wait.
        #expect(reason(secondToken, mayWait: false) == .invalid(.keyUnknown))
    }

    @Test("A change of the same length at the same moment is noticed")
    func sameLength() throws {
        let keys = try KeySet.quiet(.jwksFile(path))
        try folder.write(jwks(SigningKey.second.jwk("other")), to: "jwks.json")
        #expect(verifier(keys).reason(Token(header: ["kid": "\"other\""], key: .second).text) == nil)
    }

    @Test(
        "An unusable file stops the start with the name of the variable",
        arguments: ["missing.json", "", "broken.json", "fifo", "huge.json", "unfit.json"])
    func atTheStart(_ name: String) throws {
        try folder.write("{", to: "broken.json")
        try folder.write(jwks(SigningKey.second.jwk("second", ["alg": "\"RS512\""])), to: "unfit.json")
        try folder.write(String(repeating: " ", count: 300 << 10) + jwks(first), to: "huge.json")
        mkfifo(folder.path + "/fifo", 0o600)
        do throws(KeySourceError) {
            try KeySet.check(.jwksFile("\(folder.path)/\(name)"))
            Issue.record("\(name) was accepted")
        } catch {
            #expect(error.description.hasPrefix("CLERK_JWKS_FILE names "))
        }
    }

    @Test("After one or more stops, the keys stay in force and no request waits")
    func shutdown() throws {
        // This is much longer than a busy machine takes, so that a wait would be noticed.
        var pace = FetchSchedule.Pace.file
        pace.longestWait = .seconds(10)
        let keys = try KeySet.quiet(.jwksFile(path), pace: pace)
        keys.stop()
        keys.stop()
        let started = ContinuousClock.now
        #expect(verifier(keys).reason(firstToken) == nil)
        #expect(verifier(keys).reason(secondToken) == .invalid(.keyUnknown))
        #expect(started.duration(to: .now) < .seconds(8))
    }
}

import Foundation
import Testing

@testable import JWT

@Suite struct KeyURLTests {
    private let firstToken = Token().text
    private let secondToken = Token(header: ["kid": "\"second\""], key: .second).text
    private let thirdToken = Token(header: ["kid": "\"third\""], key: .third).text
    private let document = jwks(SigningKey.first.jwk("first"))

    private func keys(
        _ server: HTTPSServer, pace: FetchSchedule.Pace = .url, client: HTTPSClient = HTTPSClient(),
        events: Events = Events()
    ) throws -> KeySet {
        try KeySet.quiet(
            .jwksURL(server.url, caFile: server.authority.caFile), pace: pace, client: client, report: events.report)
    }

    private func verifier(_ keys: KeySet) -> Verifier { Verifier(keys: keys, policy: Policy(issuer: issuer)) }

    /// The text of the error that a fetch throws. Nil if it succeeds.
    private func failure(_ server: HTTPSServer, url: String? = nil, client: HTTPSClient = HTTPSClient()) -> String? {
        var client = client
        if client.caFile == nil { client.caFile = server.authority.caFile }
        do throws(KeyError) {
            _ = try JWKS.load(url: url ?? server.url, with: client, isStopped: { false })
            return nil
        } catch {
            return error.text
        }
    }

    @Test("Keys are fetched from an HTTPS server, and a token of one of them is accepted")
    func fetch() throws {
        let server = try HTTPSServer(document)
        let keys = try keys(server)
        #expect(eventually { keys.isAvailable })
        #expect(verifier(keys).reason(firstToken) == nil)
        #expect(server.requests == 1)
    }

    @Test("Before the first success, a token that needs a key is not judged, and a malformed one is refused")
    func unavailable() throws {
        let server = try HTTPSServer(document, mode: .error)
        var pace = FetchSchedule.Pace.url
        pace.firstRetry = .milliseconds(20)
        let events = Events()
        let keys = try keys(server, pace: pace, events: events)
        let verifier = verifier(keys)
        #expect(verifier.reason(firstToken) == .keysUnavailable)
        #expect(verifier.reason("a.b") == .invalid(.notThreeSegments))
        #expect(verifier.reason(Token(header: ["kid": nil]).text) == .invalid(.keyIDMissing))
        #expect(eventually { server.requests >= 3 })
        #expect(events.failures == 1)
        try server.answer(document)
        #expect(eventually { keys.isAvailable })
        #expect(verifier.reason(firstToken) == nil)
        #expect(
            eventually {
                events.all == [
                    .failed("the response has the status 500, not 200"), .changed(keys: 1, skipped: []), .recovered,
                ]
            })
    }

    @Test("A new kid is fetched at once, and a second one within 30 seconds is not")
    func rotation() throws {
        let server = try HTTPSServer(document)
        let keys = try keys(server)
        #expect(eventually { keys.isAvailable })
        let verifier = verifier(keys)
        #expect(verifier.reason(firstToken) == nil)
        try server.answer(jwks(SigningKey.second.jwk("second")))
        #expect(verifier.reason(secondToken) == nil)
        #expect(server.requests == 2)
        // The first key is withdrawn, so its cached token is invalid.
        #expect(verifier.reason(firstToken) == .invalid(.keyUnknown))
        try server.answer(jwks(SigningKey.third.jwk("third")))
        for _ in 0..<20 { #expect(verifier.reason(thirdToken) == .invalid(.keyUnknown)) }
        #expect(server.requests == 2)
    }

    @Test("Concurrent requests with a new kid share one fetch")
    func shared() async throws {
        let server = try HTTPSServer(document)
        let keys = try keys(server)
        #expect(eventually { keys.isAvailable })
        let verifier = verifier(keys)
        try server.answer(jwks(SigningKey.first.jwk("first"), SigningKey.second.jwk("second")))
        let token = secondToken
        await withTaskGroup(of: TokenError?.self) { group in
            for _ in 0..<8 { group.addTask { verifier.reason(token) } }
            for await reason in group { #expect(reason == nil) }
        }
        #expect(server.requests == 2)
    }

    @Test("After a failed fetch, the old keys stay in force")
    func oldKeysAfterFailure() throws {
        let server = try HTTPSServer(document)
        var pace = FetchSchedule.Pace.url
        pace.interval = .milliseconds(50)
        let events = Events()
        let keys = try keys(server, pace: pace, events: events)
        #expect(eventually { keys.isAvailable })
        let verifier = verifier(keys)
        for (number, mode) in [HTTPSServer.Mode.error, .redirect, .huge].enumerated() {
            let before = server.requests
            try server.answer(document, mode)
            // A fetch makes several requests, and only a whole one reports the failure of its mode.
            #expect(eventually { events.failures > number && server.requests >= before + 3 })
            #expect(verifier.reason(firstToken) == nil)
        }
        server.stop()
        #expect(eventually { events.failures >= 4 })
        #expect(verifier.reason(Token(["sub": "\"user_2\""]).text) == nil)
        #expect(keys.generation == 1)
    }

    @Test("An empty set withdraws the keys at once, and a later set restores them")
    func withdrawn() throws {
        let server = try HTTPSServer(document)
        var pace = FetchSchedule.Pace.url
        pace.interval = .milliseconds(50)
        pace.unknownKeyGap = .zero
        let keys = try keys(server, pace: pace)
        #expect(eventually { keys.isAvailable })
        let verifier = verifier(keys)
        #expect(verifier.reason(firstToken) == nil)
        try server.answer("{\"keys\":[]}")
        #expect(eventually { keys.statistics.keys == 0 })
        #expect(verifier.reason(firstToken) == .invalid(.keyUnknown))
        try server.answer(document)
        #expect(eventually { verifier.reason(firstToken) == nil })
    }

    @Test("Keys that cannot be fetched again expire, and are then requested more often")
    func tooOld() throws {
        let server = try HTTPSServer(document)
        var pace = FetchSchedule.Pace.url
        pace.firstRetry = .milliseconds(20)
        let events = Events()
        let keys = try KeySet.quiet(
            .jwksURL(server.url, caFile: server.authority.caFile), pace: pace, maxAge: .seconds(10),
            report: events.report)
        #expect(eventually { keys.isAvailable })
        let verifier = verifier(keys)
        #expect(verifier.reason(firstToken) == nil)
        // The age requires a fetch earlier than the pace's five minutes.
        usleep(12_000_000)
        #expect(verifier.reason(firstToken) == nil && keys.statistics.failures == 0)
        try server.answer(document, .error)
        #expect(eventually { verifier.reason(firstToken) == .keysUnavailable })
        #expect(keys.statistics.keys == 0 && keys.statistics.age > 10 && keys.statistics.failures > 0)
        #expect(eventually { events.all.contains(.tooOld) })
        let before = server.requests
        #expect(eventually { server.requests >= before + 3 })
        try server.answer(document)
        #expect(eventually { verifier.reason(firstToken) == nil })
        #expect(events.all.count { $0 == .tooOld } == 1)
    }

    @Test("A request waits for a silent server no longer than its limit, and a stop ends the wait")
    func slow() throws {
        let server = try HTTPSServer(document)
        // This is long in comparison to the delays of a busy machine. The transfer itself would end much later.
        var pace = FetchSchedule.Pace.url
        pace.longestWait = .seconds(5)
        let keys = try keys(server, pace: pace, client: HTTPSClient(deadline: .seconds(60)))
        #expect(eventually { keys.isAvailable })
        try server.answer(document, .slow)
        var started = ContinuousClock.now
        #expect(verifier(keys).reason(secondToken) == .invalid(.keyUnknown))
        let waited = started.duration(to: .now)
        #expect(waited > .seconds(4.9) && waited < .seconds(20))
        // A known key does not wait, and a second request does not wait for the same fetch again.
        started = .now
        #expect(verifier(keys).reason(firstToken) == nil)
        #expect(verifier(keys).reason(secondToken) == .invalid(.keyUnknown))
        #expect(started.duration(to: .now) < .seconds(4.5))
        started = .now
        keys.stop()
        #expect(started.duration(to: .now) < .seconds(20))
    }

    @Test(
        "A transfer ends at its deadline, if the server is silent or sends slowly",
        arguments: [HTTPSServer.Mode.slow, .drip])
    func deadline(_ mode: HTTPSServer.Mode) throws {
        let server = try HTTPSServer(document, mode: mode)
        let started = ContinuousClock.now
        #expect(failure(server, client: HTTPSClient(deadline: .milliseconds(700)))?.contains("timed out") == true)
        #expect(started.duration(to: .now) < .seconds(15))
    }

    @Test("A response that is not a key set is a failure with its reason")
    func answers() throws {
        let server = try HTTPSServer(document)
        #expect(failure(server) == nil)
        try server.answer(document, .error)
        #expect(failure(server)?.contains("status 500") == true)
        try server.answer(document, .huge)
        #expect(failure(server)?.contains("more than 262144 bytes") == true)
        try server.answer("")
        #expect(failure(server)?.contains("not JSON") == true)
    }

    @Test("Compressed keys and a byte order mark are accepted, and a decompression bomb is refused")
    func encodings() throws {
        let server = try HTTPSServer(document, mode: .gzip)
        #expect(failure(server) == nil)
        try server.answer("\u{FEFF}" + document)
        #expect(failure(server) == nil)
        try server.answer(document, .bomb)
        #expect(failure(server)?.contains("more than 262144 bytes") == true)
    }

    @Test("A redirect to another path of the same server is followed")
    func moved() throws {
        let server = try HTTPSServer(document, mode: .moved)
        #expect(failure(server) == nil)
        #expect(server.requests == 2)
    }

    @Test(
        "A redirect to another host, port or scheme, and an endless one, is not followed",
        arguments: [
            (HTTPSServer.Mode.otherHost, 1, "another server"), (.otherPort, 1, "another server"),
            (.downgrade, 1, "another server"), (.credentials, 1, "another server"), (.redirect, 4, "after another"),
        ])
    func redirects(_ mode: HTTPSServer.Mode, _ requests: Int, _ words: String) throws {
        let server = try HTTPSServer(document, mode: mode)
        #expect(failure(server)?.contains(words) == true)
        #expect(server.requests == requests)
    }

    @Test("A server without a valid certificate gets no request")
    func authenticity() throws {
        let server = try HTTPSServer(document)
        let stranger = try TestAuthority()
        #expect(failure(server, client: HTTPSClient(caFile: stranger.caFile))?.contains("certificate") == true)
        // The certificate is for the address, not for this name.
        #expect(failure(server, url: server.urlByName)?.contains("localhost") == true)
        #expect(server.requests == 0)
    }

    @Test("The system's authorities do not vouch for the test server")
    func systemAuthorities() throws {
        let server = try HTTPSServer(document)
        do throws(KeyError) {
            _ = try HTTPSClient().get(server.url, atMost: 1000, isStopped: { false })
            Issue.record("a server of an unknown authority was trusted")
        } catch {
            #expect(error.text.contains("certificate"))
        }
    }

    @Test("Only https is used")
    func plain() throws {
        let server = try HTTPSServer(document, mode: .plain)
        #expect(failure(server, url: server.plainURL) != nil)
        #expect(failure(server, url: "file://\(server.authority.caFile)") != nil)
        #expect(failure(server) != nil)
        #expect(server.requests == 0)
    }

    @Test(
        "An unusable address stops the start with the name of the variable",
        arguments: [
            "http://127.0.0.1/jwks.json", "HTTP://127.0.0.1/", "ftp://127.0.0.1/", "file:///etc/passwd", "",
            "jwks.json",
            "//127.0.0.1/", "https://", "https://user:secret@127.0.0.1/", "https://user@127.0.0.1/",
            "https://exa mple/",
        ])
    func address(_ url: String) {
        do throws(KeySourceError) {
            try KeySet.check(.jwksURL(url, caFile: nil))
            Issue.record("\(url) was accepted")
        } catch {
            #expect(error.variable == "CLERK_JWKS_URL" && !error.description.contains("secret"))
        }
    }

    @Test("A missing or empty file of authorities stops the start with the name of the variable")
    func authorities() throws {
        let folder = try TemporaryFolder()
        for path in ["\(folder.path)/missing", try folder.write("nothing", to: "empty"), folder.path] {
            do throws(KeySourceError) {
                try KeySet.check(.jwksURL("https://127.0.0.1/", caFile: path))
                Issue.record("\(path) was accepted")
            } catch {
                #expect(error.variable == "CLERK_JWKS_CA_FILE")
            }
        }
    }
}

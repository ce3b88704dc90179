import Testing

@testable import JWT

@Suite struct VerifiedTokenCacheTests {
    private func token(_ number: Int) -> [UInt8] { Array("token \(number)".utf8) }
    private func claims(_ number: Int) -> Claims { Claims(subject: "\(number)", expiresAt: 1) }

    private func counts(_ cache: VerifiedTokenCache) -> [Int] {
        [cache.statistics.hits, cache.statistics.misses, cache.statistics.evictions]
    }

    @Test("A cached token is found with its own claims")
    func found() {
        let cache = VerifiedTokenCache(capacity: 1000)
        for number in 0..<100 { cache.insert(token(number), claims: claims(number), generation: 3) }
        for number in 0..<100 {
            #expect(cache.claims(of: token(number), generation: 3, isCurrent: { _ in true })?.subject == "\(number)")
        }
        #expect(cache.claims(of: token(100), generation: 3, isCurrent: { _ in true }) == nil)
        #expect(counts(cache) == [100, 1, 0])
    }

    @Test("The number of tokens never exceeds the capacity", arguments: [0, 1, 2, 15, 16, 17, 100, 1000])
    func bounded(_ capacity: Int) {
        let cache = VerifiedTokenCache(capacity: capacity)
        for number in 0..<3000 {
            cache.insert(token(number), claims: claims(number), generation: 0)
            if number % 500 == 0 { #expect(cache.count <= capacity) }
        }
        #expect(cache.count <= capacity)
        #expect(cache.count == min(capacity, 3000))
        #expect(cache.statistics.evictions == (capacity == 0 ? 0 : 3000 - cache.count))
    }

    @Test("The least recently used token is removed first")
    func leastRecentlyUsed() {
        let cache = VerifiedTokenCache(capacity: 16)
        for number in 0..<16 { cache.insert(token(number), claims: claims(number), generation: 0) }
        #expect(cache.claims(of: token(0), generation: 0, isCurrent: { _ in true }) != nil)
        cache.insert(token(16), claims: claims(16), generation: 0)
        #expect(cache.claims(of: token(0), generation: 0, isCurrent: { _ in true }) != nil)
        #expect(cache.claims(of: token(1), generation: 0, isCurrent: { _ in true }) == nil)
        #expect(cache.statistics.evictions == 1)
    }

    @Test("A token of another generation is not found, and its removal is not counted as an eviction")
    func generation() {
        let cache = VerifiedTokenCache(capacity: 16)
        cache.insert(token(0), claims: claims(0), generation: 1)
        #expect(cache.claims(of: token(0), generation: 2, isCurrent: { _ in true }) == nil && cache.count == 0)
        cache.insert(token(0), claims: claims(0), generation: 1)
        #expect(cache.claims(of: token(0), generation: 0, isCurrent: { _ in true }) == nil && cache.count == 0)
        cache.insert(token(0), claims: claims(0), generation: 1)
        cache.insert(token(0), claims: claims(7), generation: 2)
        #expect(cache.claims(of: token(0), generation: 2, isCurrent: { _ in true })?.subject == "7")
        #expect(cache.count == 1 && cache.statistics.evictions == 0)
    }

    @Test("A token that is no longer current is not found")
    func current() {
        let cache = VerifiedTokenCache(capacity: 16)
        cache.insert(token(0), claims: claims(0), generation: 0)
        #expect(cache.claims(of: token(0), generation: 0, isCurrent: { $0.subject != "0" }) == nil)
        #expect(counts(cache) == [0, 1, 0] && cache.count == 0)
    }

    @Test("Longer claims leave room for fewer tokens, and the token's own length does not count")
    func bytes() {
        let cache = VerifiedTokenCache(capacity: 1600)
        let long = String(repeating: "x", count: 1000)
        for number in 0..<3000 {
            let token = token(number) + [UInt8](repeating: 7, count: 8000) + token(number)
            let claims = Claims(
                subject: long, organization: long, sessionID: long, organizationRole: long, actor: "\(number)",
                expiresAt: 1)
            cache.insert(token, claims: claims, generation: 0)
            if number % 500 == 0 { #expect(cache.statistics.bytes <= 1600 * 840) }
            #expect(cache.claims(of: token, generation: 0, isCurrent: { _ in true })?.actor == "\(number)")
        }
        #expect(cache.statistics.bytes <= 1600 * 840 && cache.statistics.bytes > 1600 * 400)
        #expect(cache.count < 400 && cache.statistics.evictions == 3000 - cache.count)
    }

    @Test("Expired tokens are removed when others are added, and are not counted as evictions")
    func ended() {
        let cache = VerifiedTokenCache(capacity: 160)
        for number in 0..<160 { cache.insert(token(number), claims: claims(number), generation: 0) }
        #expect(cache.count == 160)
        let before = cache.statistics.evictions
        let current = Claims(subject: "current", expiresAt: 100)
        for number in 0..<10 { cache.insert(token(1000 + number), claims: current, generation: 0, now: 1) }
        #expect(cache.count == 10 && cache.statistics.evictions == before)
        #expect(cache.claims(of: token(1000), generation: 0, isCurrent: { _ in false }) == nil && cache.count == 9)
    }
}

extension VerifiedTokenCache {
    fileprivate var count: Int { statistics.tokens }

    fileprivate func insert(_ token: [UInt8], claims: Claims, generation: UInt64) {
        insert(token, claims: claims, generation: generation, now: 0)
    }
}

@Suite struct VerifierCacheTests {
    private func counts(_ verifier: Verifier) -> [Int] {
        [verifier.cacheStatistics.hits, verifier.cacheStatistics.misses, verifier.cacheStatistics.evictions]
    }

    @Test("A token is verified once, and the cache returns the same claims")
    func hit() throws {
        let verifier = try Verifier.pem()
        let token = Token().text
        let claims = try verifier.verify(token, now: now)
        #expect(try verifier.verify(Array(token.utf8), now: now + 1) == claims)
        #expect(counts(verifier) == [1, 1, 0])
    }

    @Test("From exp on, the full check runs, up to the leeway")
    func expiry() throws {
        let verifier = try Verifier.pem()
        let token = Token(["exp": "1750000060"]).text
        _ = try verifier.verify(token, now: now)
        _ = try verifier.verify(token, now: 1_750_000_059.999)
        #expect(verifier.cacheStatistics.hits == 1)
        _ = try verifier.verify(token, now: 1_750_000_060)
        _ = try verifier.verify(token, now: 1_750_000_064.999)
        #expect(counts(verifier) == [1, 3, 0])
        #expect(verifier.reason(token, now: 1_750_000_065) == .invalid(.expired))
    }

    @Test("A cached token is refused if the clock was set back before its nbf or iat")
    func clockWentBack() throws {
        let verifier = try Verifier.pem()
        let token = Token(["nbf": "1750000000", "iat": nil]).text
        let issued = Token(["nbf": nil, "iat": "1750000000"]).text
        _ = try verifier.verify(token, now: now)
        _ = try verifier.verify(issued, now: now)
        #expect(verifier.reason(token, now: now - 6) == .invalid(.notYetValid))
        #expect(verifier.reason(issued, now: now - 6) == .invalid(.issuedInTheFuture))
        #expect(verifier.cacheStatistics.hits == 0)
    }

    @Test("A token that differs from a cached one by a byte is verified completely")
    func differs() throws {
        let verifier = try Verifier.pem()
        let token = Token().text
        _ = try verifier.verify(token, now: now)
        let flipped = token.dropLast(20) + (token.dropLast(19).last == "A" ? "B" : "A") + token.suffix(19)
        #expect(flipped.count == token.count)
        #expect(verifier.reason(String(flipped)) == .invalid(.signature))
    }

    @Test("A full cache still verifies every token")
    func full() throws {
        let verifier = try Verifier.pem(cacheCapacity: 16)
        for number in 0..<40 {
            #expect(
                try verifier.verify(Token(["sub": "\"user_\(number)\""]).text, now: now).subject == "user_\(number)")
        }
        #expect(verifier.cacheStatistics.tokens == 16)
        #expect(verifier.cacheStatistics.evictions == 24)
        #expect(try Verifier.pem(cacheCapacity: 0).reason(Token().text) == nil)
    }

    @Test("Concurrent threads get correct results for equal and different tokens")
    func concurrent() async throws {
        let verifier = try Verifier.pem(cacheCapacity: 32)
        let tokens = (0..<40).map { Token(["sub": "\"user_\($0)\""]).text }
        let bad = Token(key: .second).text
        await withTaskGroup(of: Bool.self) { group in
            for worker in 0..<8 {
                group.addTask {
                    for round in 0..<200 {
                        let index = (worker * 7 + round) % tokens.count
                        guard (try? verifier.verify(tokens[index], now: now))?.subject == "user_\(index)",
                            verifier.reason(bad) == .invalid(.signature)
                        else { return false }
                    }
                    return true
                }
            }
            for await passed in group { #expect(passed) }
        }
        #expect(verifier.cacheStatistics.tokens <= 32)
    }
}

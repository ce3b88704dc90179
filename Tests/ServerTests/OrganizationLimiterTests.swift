import API
import JWT
import Testing

@testable import Server

@Suite("The limits of organizations")
struct OrganizationLimiterTests {
    private static let limit = OrganizationLimit(most: 2, period: .seconds(60), status: 202)
    private let start = ContinuousClock.now

    private func admit(_ usage: inout OrganizationUsage, _ organization: String, at seconds: Int) -> Duration? {
        usage.admit(Array(organization.utf8), Self.limit, now: start + .seconds(seconds))
    }

    private func end(_ usage: inout OrganizationUsage, _ organization: String, counts: Bool, at seconds: Int) {
        usage.end(Array(organization.utf8), Self.limit, counts: counts, now: start + .seconds(seconds))
    }

    @Test("Only responses that count use the limit up, each organization's its own, until the period is over")
    func period() {
        var usage = OrganizationUsage()
        for _ in 1...5 {
            #expect(admit(&usage, "a", at: 0) == nil)
            end(&usage, "a", counts: false, at: 0)
        }
        for second in [0, 10] {
            #expect(admit(&usage, "a", at: second) == nil)
            end(&usage, "a", counts: true, at: second)
        }
        #expect(admit(&usage, "a", at: 20) == .seconds(40))
        #expect(admit(&usage, "a\u{301}", at: 20) == nil)
        #expect(admit(&usage, "\u{E1}", at: 20) == nil)
        #expect(admit(&usage, "a", at: 59) == .seconds(1))
        #expect(admit(&usage, "a", at: 60) == nil)
        end(&usage, "a", counts: true, at: 60)
        #expect(admit(&usage, "a", at: 61) == .seconds(9))
    }

    @Test("Requests without a response are counted too, so that none exceeds the limit at the same time")
    func pending() {
        var usage = OrganizationUsage()
        #expect(admit(&usage, "a", at: 0) == nil)
        #expect(admit(&usage, "a", at: 0) == nil)
        #expect(admit(&usage, "a", at: 0) == .seconds(1))
        end(&usage, "a", counts: false, at: 0)
        #expect(admit(&usage, "a", at: 0) == nil)
    }

    @Test("A request that gets no response is counted no longer")
    func dropped() throws {
        let limiter = OrganizationLimiter()
        for _ in 1...5 { _ = try limiter.admit("/x", Self.limit, "a") }
        let (first, second) = (try limiter.admit("/x", Self.limit, "a"), try limiter.admit("/x", Self.limit, "a"))
        #expect(throws: Problem.self) { try limiter.admit("/x", Self.limit, "a") }
        #expect(throws: Never.self) { try limiter.admit("/y", Self.limit, "a") }
        first.end(Response(status: 409, contentType: nil, body: []))
        second.end(Response(status: 202, contentType: nil, body: []))
        let third = try limiter.admit("/x", Self.limit, "a")
        third.end(Response(status: 202, contentType: nil, body: []))
        do throws(Problem) {
            _ = try limiter.admit("/x", Self.limit, "a")
            Issue.record("was admitted")
        } catch {
            #expect(error.status == 429)
            #expect(error.kind == .organizationRateLimited)
            let wait = error.headers.first { $0.name == "Retry-After" }.flatMap { Int($0.value) }
            #expect(wait.map { (1...60).contains($0) } == true)
        }
    }
}

@Suite("The roles of administrators")
struct AdminRolesTests {
    private func isAdmin(_ role: String?, _ roles: AdminRoles = AdminRoles()) -> Bool {
        roles.contains(Claims(subject: "u", organizationRole: role, expiresAt: 0))
    }

    @Test("A role is compared byte by byte, without org: before it")
    func roles() {
        #expect(isAdmin("admin") && isAdmin("org:admin"))
        for role in [nil, "", "org:", "Admin", "administrator", "org:org:admin", "admin ", "member", "org:member"] {
            #expect(!isAdmin(role), "\(role ?? "none")")
        }
        let own = AdminRoles(["owner", "p\u{E9}"])
        #expect(isAdmin("org:owner", own) && isAdmin("p\u{E9}", own))
        #expect(!isAdmin("admin", own) && !isAdmin("pe\u{301}", own))
    }
}

import Testing
import Threads

@testable import Server

@Suite("The timings of a request")
struct TimingsTests {
    private struct Failure: Error {}
    private static let waiting = ThreadTime()

    @Test("The header Server-Timing has milliseconds with three decimals")
    func header() {
        var timings = Timings()
        #expect(timings.header == "auth;dur=0.000, pool;dur=0.000, db;dur=0.000, enc;dur=0.000")
        timings.authentication = .nanoseconds(2999)
        timings.pool = .microseconds(42)
        timings.database = .microseconds(1_007_005)
        timings.encoding = .milliseconds(100)
        #expect(timings.header == "auth;dur=0.002, pool;dur=0.042, db;dur=1007.005, enc;dur=100.000")
    }

    @Test("The durations of each part are added up, including failed ones")
    func parts() throws {
        var timings = Timings()
        for _ in 0..<2 {
            #expect(throws: Failure.self) {
                try timings.measure(\.encoding) {
                    Thread.sleep(.milliseconds(5))
                    throw Failure()
                }
            }
        }
        #expect(timings.encoding >= .milliseconds(10))
        #expect(timings.authentication == .zero && timings.pool == .zero && timings.database == .zero)
    }

    @Test("The wait for a connection is separate from the work of the database")
    func database() {
        let waiting = Self.waiting
        var timings = Timings()
        waiting.add(.seconds(100))
        for _ in 0..<2 {
            #expect(throws: Failure.self) {
                try timings.measureDatabase(
                    waited: { waiting.spent },
                    {
                        waiting.add(.milliseconds(5))
                        Thread.sleep(.milliseconds(15))
                        throw Failure()
                    })
            }
        }
        #expect(timings.pool == .milliseconds(10))
        #expect(timings.database >= .milliseconds(20))
    }
}

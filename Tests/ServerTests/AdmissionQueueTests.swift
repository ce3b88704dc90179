import Testing

@testable import Server

@Suite("The queue for permits")
struct AdmissionQueueTests {
    private let start = ContinuousClock.now
    private var queue = AdmissionQueue<Int>(permits: 2, capacity: 3)

    private func time(_ seconds: Int) -> ContinuousClock.Instant { start + .seconds(seconds) }

    @Test("Permits are granted while there are any, then callers wait in order, and one too many is refused")
    mutating func order() {
        #expect((1...2).map { queue.admit($0, until: time(9)) } == [.granted, .granted])
        #expect((3...6).map { queue.admit($0, until: time(9)) } == [.waits, .waits, .waits, .refused])
        #expect(queue.granted == 2 && queue.waiting == 3)
        #expect([queue.next(), queue.next(), queue.next()] == [3, 4, 5])
        #expect(queue.granted == 2 && queue.waiting == 0)
        #expect([queue.next(), queue.next()] == [nil, nil])
        #expect(queue.granted == 0)
        #expect(queue.admit(7, until: time(9)) == .granted)
    }

    @Test("A caller is removed at its deadline, and only once")
    mutating func late() {
        for number in 1...5 { _ = queue.admit(number, until: time(number)) }
        #expect(queue.takeLate(now: time(2)) == [])
        #expect(queue.takeLate(now: time(4)) == [3, 4])
        #expect(queue.admit(6, until: time(6)) == .waits)
        #expect(queue.next() == 5)
        #expect(queue.takeLate(now: time(5)) == [])
        #expect(queue.takeLate(now: time(6)) == [6])
        #expect(queue.next() == nil && queue.waiting == 0)
    }

    @Test("The bytes of waiting requests are limited in total")
    func bytes() {
        var queue = AdmissionQueue<Int>(permits: 1, capacity: 100, mostBytes: 10)
        #expect(queue.admit(0, size: 100, until: time(9)) == .granted)
        #expect(
            queue.admit(1, size: 6, until: time(1)) == .waits && queue.admit(2, size: 5, until: time(9)) == .refused)
        #expect(queue.admit(3, size: 4, until: time(9)) == .waits && queue.bytes == 10)
        #expect(queue.takeLate(now: time(2)) == [1] && queue.bytes == 4)
        #expect(queue.next() == 3 && queue.bytes == 0 && queue.next() == nil)
        #expect(queue.admit(4, until: time(9)) == .granted)
    }

    @Test("A closed queue admits no waiting caller, and still takes permits back")
    mutating func close() {
        for number in 1...4 { _ = queue.admit(number, until: time(9)) }
        #expect(queue.close() == [3, 4])
        #expect(queue.admit(5, until: time(9)) == .refused)
        #expect([queue.next(), queue.next()] == [nil, nil])
        #expect(queue.admit(6, until: time(9)) == .granted)
    }

    @Test("The order is kept over thousands of callers, a few of which wait at a time")
    func long() {
        var queue = AdmissionQueue<Int>(permits: 1, capacity: 2000)
        _ = queue.admit(-1, until: time(9))
        var (admitted, served) = (0, 0)
        for round in 0..<20_000 {
            for _ in 0...(round % 3) where queue.admit(admitted, until: time(9)) == .waits { admitted += 1 }
            for _ in 0...(round % 2) {
                if let next = queue.next() {
                    #expect(next == served)
                    served += 1
                } else {
                    _ = queue.admit(-1, until: time(9))
                }
            }
        }
        #expect(queue.close() == Array(served..<admitted) && served > 5000)
    }
}

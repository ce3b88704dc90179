import NIOCore
import Testing

@testable import Live

/// A connection that records what is written to it.
private final class Recorder: Outlet {
    var written: [String] = []
    var unsent = 0
    var ended: Message.EndReason?

    func write(_ buffer: ByteBuffer) { written.append(String(buffer: buffer)) }
    func flush() {}
    func end(_ last: Frame, _ reason: Message.EndReason) {
        ended = reason
        write(last.event)
    }

    /// The messages so far, such as `notice 3`.
    var messages: [String] {
        written.map { event in
            let type = event.split(separator: "\"type\":\"").last.map { $0.prefix { $0 != "\"" } } ?? ""
            let number = event.split(separator: "\"sequence\":").last.map { $0.prefix(while: \.isNumber) } ?? ""
            return number.isEmpty || type == "bye" ? "\(type)" : "\(type) \(number)"
        }
    }
}

/// A hub with its streams.
private final class Fixture {
    let hub = Hub()
    let places = StreamPlaces()
    var recorders: [Recorder] = []
    var streams: [Stream] = []

    static let counts = AlertCounts(critical: 1, newToday: 0, open: 1)

    func join(
        _ organization: String = "o", after: Int? = nil, sequence: Int = 0, endsAt: Double = .infinity
    ) throws -> Recorder {
        let recorder = Recorder()
        let place = try #require(places.take(subject: "user \(streams.count)"))
        let start = StreamStart(
            organization: organization,
            credential: Credential(token: [], subject: "u", organization: organization, endsAt: endsAt), place: place,
            after: after, sequence: sequence, counts: Self.counts)
        let stream = Stream(start, .events, outlet: recorder, tick: hub.ticks)
        recorders.append(recorder)
        streams.append(stream)
        _ = hub.join(stream, start)
        return recorder
    }

    /// Answers all questions as a database with the notices 1 … `sequence`, of which those before `oldest` are gone.
    func poll(sequence: Int, oldest: Int = 1, pageSize: Int = Answer.mostNotices, ack: String = "") {
        for _ in 0..<100 {
            let questions = hub.questions()
            let answers = questions.map {
                answer($0, sequence: sequence, oldest: oldest, pageSize: pageSize, ack: ack)
            }
            for answer in answers { _ = hub.take(answer) }
            if answers.allSatisfy({ $0.notices.isEmpty && !$0.isReset }) { return }
        }
        Issue.record("the hub asks for ever")
    }

    func answer(
        _ question: Question, sequence: Int, oldest: Int = 1, pageSize: Int = 200, state: String? = "1",
        counts: AlertCounts? = nil, ack: String = ""
    ) -> Answer {
        let first = max(question.after + 1, oldest)
        let last = min(sequence, question.after + pageSize)
        let notices = first <= last ? (first...last).map(Self.notice) : []
        let isReset = question.after > sequence || question.after < oldest - 1
        return Answer(
            organization: question.organization, after: question.after, sequence: sequence, oldest: oldest,
            state: state, isDue: state == nil, counts: counts, acknowledgement: ack, notices: isReset ? [] : notices)
    }

    static func notice(_ sequence: Int) -> Notice {
        Notice(sequence: sequence, kind: "critical", cause: "time", day: "2025-06-30", number: 1, age: .seconds(1))
    }
}

@Suite("The hub of the streams")
struct HubTests {
    @Test("A stream begins with hello, and is sent later notices once and in order")
    func order() throws {
        let fixture = Fixture()
        let recorder = try fixture.join(sequence: 5)
        fixture.poll(sequence: 5)
        fixture.poll(sequence: 7)
        fixture.poll(sequence: 8)
        #expect(recorder.messages == ["hello 5", "notice 6", "notice 7", "notice 8"])
        #expect(fixture.hub.takeEvents().lags == [.seconds(1), .seconds(1), .seconds(1)])
    }

    @Test(
        "A stream after a number is sent all notices between it and the others, page by page",
        arguments: [1, 3, 200])
    func replay(pageSize: Int) throws {
        let fixture = Fixture()
        let level = try fixture.join(sequence: 5)
        fixture.poll(sequence: 9, pageSize: pageSize)
        let late = try fixture.join(after: 2, sequence: 8)
        let next = try fixture.join(after: 8, sequence: 9)
        // More is written while it replays.
        fixture.poll(sequence: 12, pageSize: pageSize)
        #expect(level.messages == ["hello 5"] + (6...12).map { "notice \($0)" })
        #expect(late.messages == ["hello 8"] + (3...12).map { "notice \($0)" })
        #expect(next.messages == ["hello 9"] + (9...12).map { "notice \($0)" })
    }

    @Test("A stream whose hello is newer than the others' notices is sent none twice")
    func newer() throws {
        let fixture = Fixture()
        let first = try fixture.join(sequence: 5)
        let second = try fixture.join(sequence: 7)
        fixture.poll(sequence: 8)
        #expect(first.messages == ["hello 5", "notice 6", "notice 7", "notice 8"])
        #expect(second.messages == ["hello 7", "notice 8"])
    }

    @Test("An answer for an organization that was left and begun anew at a lower number loses nothing")
    func anew() throws {
        let fixture = Fixture()
        _ = try fixture.join(sequence: 9)
        let question = try #require(fixture.hub.questions().first)
        fixture.hub.leave(fixture.streams[0])
        #expect(fixture.hub.organizations.isEmpty && fixture.hub.count == 0)
        let again = try fixture.join(after: 6, sequence: 9)
        _ = fixture.hub.take(fixture.answer(question, sequence: 10))
        fixture.poll(sequence: 10)
        #expect(again.messages == ["hello 9", "notice 7", "notice 8", "notice 9", "notice 10"])
    }

    @Test("A number that is too high, or whose successors are gone, is reset")
    func reset() throws {
        let fixture = Fixture()
        let high = try fixture.join(after: 6, sequence: 5)
        let low = try fixture.join(after: 2, sequence: 5)
        let kept = try fixture.join(after: 3, sequence: 5)
        fixture.poll(sequence: 6, oldest: 4)
        #expect(high.messages == ["hello 5", "reset 5", "notice 6"])
        #expect(low.messages == ["hello 5", "reset 6"])
        #expect(kept.messages == ["hello 5", "notice 4", "notice 5", "notice 6"])
    }

    @Test("Numbers that were skipped or went back reset every stream", arguments: [(1_000_005, 1_000_006), (3, 1)])
    func skipped(sequence: Int, oldest: Int) throws {
        let fixture = Fixture()
        let stream = try fixture.join(sequence: 5)
        fixture.poll(sequence: 5)
        fixture.poll(sequence: sequence, oldest: oldest)
        fixture.poll(sequence: sequence + 1, oldest: oldest)
        #expect(stream.messages == ["hello 5", "reset \(sequence)", "notice \(sequence + 1)"])
    }

    @Test("A heartbeat is sent every 15 ticks, with the number of what was sent")
    func heartbeats() throws {
        let fixture = Fixture()
        let level = try fixture.join(sequence: 5)
        fixture.poll(sequence: 9)
        let behind = try fixture.join(after: 2, sequence: 9)
        for _ in 0..<30 { fixture.hub.tick(now: 0) }
        #expect(level.messages.suffix(2) == ["heartbeat 9", "heartbeat 9"] && level.messages.count == 7)
        #expect(behind.messages == ["hello 9", "heartbeat 2", "heartbeat 2"])
    }

    @Test("An acknowledgement sends a heartbeat once its counts are known, or after two answers")
    func acknowledgement() throws {
        let fixture = Fixture()
        let stream = try fixture.join(sequence: 5)
        let question = try #require(fixture.hub.questions().first)
        let take = { (state: String?, ack: String) in
            _ = fixture.hub.take(fixture.answer(question, sequence: 5, state: state, ack: ack))
        }
        take("1", "7")
        take("1", "7")
        #expect(stream.messages.count == 1)
        take(nil, "7 8")
        #expect(stream.messages.count == 1)
        take("2", "7 8")
        #expect(stream.messages == ["hello 5", "heartbeat 5"])
        // A word that commits late has a smaller number.
        for _ in 0..<3 { take(nil, "6 7 8") }
        #expect(stream.messages == ["hello 5", "heartbeat 5", "heartbeat 5"])
    }

    @Test("Other counts send a heartbeat, unless a notice tells of them")
    func counts() throws {
        let fixture = Fixture()
        let stream = try fixture.join(sequence: 5)
        let question = try #require(fixture.hub.questions().first)
        let other = AlertCounts(critical: 1, newToday: 0, open: 0)
        _ = fixture.hub.take(fixture.answer(question, sequence: 5, counts: other))
        #expect(stream.messages == ["hello 5", "heartbeat 5"])
        _ = fixture.hub.take(fixture.answer(question, sequence: 6, state: "2", counts: Fixture.counts))
        #expect(stream.messages == ["hello 5", "heartbeat 5", "notice 6"])
    }

    @Test("A stream ends when its token does, and is not sent anything else")
    func expired() throws {
        let fixture = Fixture()
        let stream = try fixture.join(endsAt: 100)
        fixture.hub.tick(now: 99.9)
        #expect(stream.ended == nil)
        fixture.hub.tick(now: 100)
        #expect(stream.ended == .tokenExpired && fixture.hub.count == 0)
        fixture.poll(sequence: 3)
        #expect(stream.messages == ["hello 0", "bye"])
    }

    @Test("A stream with too many unsent bytes is dropped, and one that replays waits")
    func slow() throws {
        let fixture = Fixture()
        let slow = try fixture.join(sequence: 5)
        let level = try fixture.join(sequence: 5)
        let replaying = try fixture.join(after: 0, sequence: 5)
        (slow.unsent, replaying.unsent) = (Stream.mostUnsent, Stream.mostUnsentInReplay)
        fixture.poll(sequence: 6)
        #expect(slow.ended == .tooSlow && level.messages == ["hello 5", "notice 6"])
        #expect(replaying.messages == ["hello 5"])
        replaying.unsent = 0
        fixture.poll(sequence: 6)
        #expect(replaying.messages == ["hello 5"] + (1...6).map { "notice \($0)" })
        let events = fixture.hub.takeEvents()
        #expect(events.dropped == 1 && events.noticesSent == 7)
    }

    @Test("At a stop all streams end, spread over a time that grows with their number")
    func stop() throws {
        let fixture = Fixture()
        for _ in 0..<20 { _ = try fixture.join() }
        fixture.hub.endAll()
        #expect(fixture.hub.count == 0 && fixture.recorders.allSatisfy { $0.ended == .shuttingDown })
        #expect(Set(fixture.recorders.compactMap(\.written.last)).count > 5)
    }

    @Test("No stream is told of another organization")
    func organizations() throws {
        let fixture = Fixture()
        // These two ids are equal as Swift strings.
        let first = try fixture.join("caf\u{E9}")
        let second = try fixture.join("cafe\u{301}")
        let question = try #require(fixture.hub.questions().first { $0.organization.utf8.count == 5 })
        _ = fixture.hub.take(fixture.answer(question, sequence: 1))
        #expect(first.messages == ["hello 0", "notice 1"] && second.messages == ["hello 0"])
    }
}

@Suite("The limits of streams")
struct StreamPlacesTests {
    @Test("A place is released with its stream")
    func release() throws {
        let places = StreamPlaces(mostOfSubject: 2, mostOfProcess: 3)
        var taken = [try #require(places.take(subject: "a")), try #require(places.take(subject: "a"))]
        #expect(places.take(subject: "a") == nil && places.take(subject: "b") != nil)
        #expect(places.refused.ofSubject == 1)
        taken.removeLast()
        #expect(places.take(subject: "a") != nil)
    }

    @Test("The process has its own limit")
    func process() throws {
        let places = StreamPlaces(mostOfSubject: 9, mostOfProcess: 2)
        var taken = try (0..<3).map { try #require(places.take(subject: "\($0)")) }
        #expect(taken.map { $0.takeOfProcess() } == [true, true, false])
        #expect(places.refused.ofProcess == 1)
        taken.removeFirst()
        #expect(taken[1].takeOfProcess())
    }
}

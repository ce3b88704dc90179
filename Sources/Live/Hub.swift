import NIOCore

/// The open streams by organization. It decides what each is sent. It is used on the event loop alone.
///
/// Each stream has a cursor, the number of the last notice that it has been sent. An answer with the notices after a
/// number goes to each stream whose cursor lies among them. So a stream may begin at any number while news arrives: it
/// asks for its own notices until its cursor is the organization's position. It misses none and gets each in order.
final class Hub {
    /// What has happened, for the metrics.
    struct Events {
        var noticesSent = 0
        var dropped = 0
        /// The time from the commit of each new notice to its sending.
        var lags: [Duration] = []
    }

    private(set) var organizations: [[UInt8]: ListenedOrganization] = [:]
    private(set) var count = 0
    private(set) var ticks = 0
    private var events = Events()

    /// A tick is a second.
    static let ticksBetweenHeartbeats = 15
    /// The longest that a client waits before it opens a stream again. The time grows with the number of streams, so
    /// that a server can serve all openings.
    private static let retryOfEach = Duration.milliseconds(4)
    private static let leastRetry = Duration.milliseconds(1000)
    private static let leastSpread = Duration.milliseconds(2000)
    /// How many streams are asked for at once that are not level.
    private static let mostReplays = 100
    /// How many answers an acknowledgement waits for counts at most.
    private static let longestWithoutCounts = 2

    /// What has happened since the last call.
    func takeEvents() -> Events {
        defer { events = Events() }
        return events
    }

    /// Begins a stream: sends its first messages, and adds it. True if it has to ask for notices of its own.
    func join(_ stream: Stream, _ start: StreamStart) -> Bool {
        let organization = listened(start)
        organization.add(stream)
        count += 1
        stream.write(Frame(.hello(sequence: start.sequence, start.counts)))
        if stream.cursor > start.sequence {
            stream.write(Frame(.reset(sequence: start.sequence)))
            stream.cursor = start.sequence
        }
        stream.flush()
        return !stream.isLevel
    }

    func leave(_ stream: Stream) {
        guard let organization = stream.organization else { return }
        organization.remove(stream)
        count -= 1
        if organization.members.isEmpty { organizations[Array(organization.id.utf8)] = nil }
    }

    /// Sends a stream its last message and removes it.
    func end(_ stream: Stream, _ reason: Message.EndReason) {
        guard stream.organization != nil else { return }
        let spread = max(Self.leastSpread, reason == .shuttingDown ? Self.retryOfEach * count : .zero)
        leave(stream)
        if reason == .tooSlow { events.dropped += 1 }
        stream.end(reason, retry: Self.leastRetry + spread * Double.random(in: 0..<1))
    }

    /// Ends all streams, because the server stops.
    func endAll() {
        let all = organizations.values.flatMap(\.members)
        // The number of streams decides the time to wait, so it must not fall meanwhile.
        let spread = max(Self.leastSpread, Self.retryOfEach * all.count)
        for stream in all {
            leave(stream)
            stream.end(.shuttingDown, retry: Self.leastRetry + spread * Double.random(in: 0..<1))
        }
    }

    private func listened(_ start: StreamStart) -> ListenedOrganization {
        let key = Array(start.organization.utf8)
        if let known = organizations[key] { return known }
        let made = ListenedOrganization(id: start.organization, position: start.sequence, counts: start.counts)
        organizations[key] = made
        return made
    }

    /// The questions of all organizations, and of streams that are not level.
    ///
    /// - Parameter onlyReplays: whether to leave out the organizations.
    func questions(onlyReplays: Bool = false) -> [Question] {
        var replays: [Question] = []
        var questions: [Question] = []
        for organization in organizations.values {
            if !onlyReplays {
                questions.append(
                    Question(
                        organization: organization.id, after: organization.position, knownState: organization.state))
            }
            var asked: Set<Int> = []
            for stream in organization.members where !stream.isLevel && stream.takesReplay {
                guard replays.count < Self.mostReplays else { break }
                guard asked.insert(stream.cursor).inserted else { continue }
                replays.append(
                    Question(organization: organization.id, after: stream.cursor, knownState: organization.state))
            }
        }
        return questions + replays
    }

    /// Sends what an answer tells. True if there is more to ask for at once.
    ///
    /// - Parameter waited: the time since the database answered.
    func take(_ answer: Answer, waited: Duration = .zero) -> Bool {
        guard let organization = organizations[Array(answer.organization.utf8)] else { return false }
        if answer.isReset {
            reset(organization, answer)
        } else {
            tell(organization, answer, waited)
        }
        takeCounts(answer, organization)
        return answer.notices.count >= Answer.mostNotices
    }

    private func reset(_ organization: ListenedOrganization, _ answer: Answer) {
        if organization.position == answer.after { organization.position = answer.sequence }
        let frame = Frame(.reset(sequence: answer.sequence))
        for stream in organization.members where stream.cursor == answer.after {
            stream.cursor = answer.sequence
            send([frame], to: stream)
        }
    }

    private func tell(_ organization: ListenedOrganization, _ answer: Answer, _ waited: Duration) {
        guard let last = answer.notices.last?.sequence else { return }
        let frames = answer.notices.map { (sequence: $0.sequence, frame: Frame(.notice($0))) }
        for stream in organization.members where stream.cursor >= answer.after && stream.cursor < last {
            let next = frames.drop { $0.sequence <= stream.cursor }
            stream.cursor = last
            if send(next.map(\.frame), to: stream) { events.noticesSent += next.count }
        }
        guard answer.after <= organization.position, organization.position < last else { return }
        events.lags += answer.notices.filter { $0.sequence > organization.position }.map { $0.age + waited }
        organization.position = last
    }

    private func takeCounts(_ answer: Answer, _ organization: ListenedOrganization) {
        var isNews = false
        if let counts = answer.counts, let state = answer.state {
            // The notices that change the counts are the news themselves.
            isNews = counts != organization.counts && answer.notices.isEmpty && !answer.isReset
            (organization.counts, organization.state) = (counts, state)
        }
        if organization.acknowledgement == nil { organization.acknowledgement = answer.acknowledgement }
        if organization.acknowledgement?.utf8.elementsEqual(answer.acknowledgement.utf8) != true {
            // The counts of an acknowledgement follow once the patient is refreshed.
            if answer.isDue, organization.answersWithoutCounts < Self.longestWithoutCounts {
                organization.answersWithoutCounts += 1
            } else {
                organization.acknowledgement = answer.acknowledgement
                organization.answersWithoutCounts = 0
                isNews = true
            }
        }
        if isNews { sendHeartbeat(to: organization.members, of: organization) }
    }

    /// Ends the streams whose token has expired, and sends the heartbeats that are due. Call it once a second.
    ///
    /// - Parameter now: the time that tokens expire by.
    func tick(now: Double) {
        ticks += 1
        for organization in organizations.values {
            var due: [Stream] = []
            for stream in organization.members {
                if stream.credential.endsAt <= now {
                    end(stream, .tokenExpired)
                } else if stream.heartbeatAt <= ticks {
                    stream.heartbeatAt = ticks + Self.ticksBetweenHeartbeats
                    due.append(stream)
                }
            }
            sendHeartbeat(to: due, of: organization)
        }
    }

    /// A stream that is not level is told its own number. Otherwise its client would take later notices for seen.
    private func sendHeartbeat(to streams: [Stream], of organization: ListenedOrganization) {
        guard !streams.isEmpty else { return }
        let frame = Frame(.heartbeat(sequence: organization.position, organization.counts))
        for stream in streams {
            send(
                [stream.isLevel ? frame : Frame(.heartbeat(sequence: stream.cursor, organization.counts))], to: stream)
        }
    }

    /// Sends messages, or ends the stream if its client does not read. False if it has ended.
    @discardableResult
    private func send(_ frames: [Frame], to stream: Stream) -> Bool {
        guard !stream.isTooSlow else {
            end(stream, .tooSlow)
            return false
        }
        for frame in frames { stream.write(frame) }
        stream.flush()
        return true
    }
}

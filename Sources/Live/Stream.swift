import NIOCore

/// The connection of a stream.
protocol Outlet: AnyObject {
    /// The bytes that have been written and not sent.
    var unsent: Int { get }
    func write(_ buffer: ByteBuffer)
    func flush()
    /// Writes a last message and closes the connection once everything is sent, or after a while.
    func end(_ last: Frame, _ reason: Message.EndReason)
}

/// An open stream, as the hub sees it. It is used on the event loop alone.
final class Stream {
    let transport: StreamRequest.Transport
    let place: StreamPlace
    var credential: Credential
    /// The number of the last notice that it has been sent, or that its client has seen.
    var cursor: Int
    /// The tick of the next heartbeat.
    var heartbeatAt: Int
    fileprivate(set) var organization: ListenedOrganization?
    fileprivate(set) var index = 0
    // The connection's handler owns the stream, and takes it from the hub when the connection is closed.
    private unowned let outlet: any Outlet

    /// A stream with so many unsent bytes is dropped.
    static let mostUnsent = 64 * 1024
    /// Stored notices are sent only to a stream with fewer unsent bytes, so that a replay drops none.
    static let mostUnsentInReplay = 16 * 1024

    init(_ start: StreamStart, _ transport: StreamRequest.Transport, outlet: any Outlet, tick: Int) {
        self.transport = transport
        (place, credential, cursor) = (start.place, start.credential, start.after ?? start.sequence)
        heartbeatAt = tick + Hub.ticksBetweenHeartbeats
        self.outlet = outlet
    }

    var isTooSlow: Bool { outlet.unsent >= Self.mostUnsent }
    var takesReplay: Bool { outlet.unsent < Self.mostUnsentInReplay }
    /// True if it has been sent what the other streams of its organization have.
    var isLevel: Bool { cursor == organization?.position }

    func write(_ frame: Frame) { outlet.write(transport == .events ? frame.event : frame.text) }

    func flush() { outlet.flush() }

    func end(_ reason: Message.EndReason, retry: Duration) {
        outlet.end(Frame(.bye(reason, retry: retry)), reason)
    }
}

/// An organization with open streams. It is used on the event loop alone.
final class ListenedOrganization {
    let id: String
    private(set) var members: [Stream] = []
    /// The number of the last notice that has been sent to its streams.
    var position: Int
    var counts: AlertCounts
    /// The state of ``counts``. Nil until the first answer.
    var state: String?
    var acknowledgement: String?
    /// How many answers had a new acknowledgement without new counts.
    var answersWithoutCounts = 0

    init(id: String, position: Int, counts: AlertCounts) {
        (self.id, self.position, self.counts) = (id, position, counts)
    }

    func add(_ stream: Stream) {
        stream.organization = self
        stream.index = members.count
        members.append(stream)
    }

    func remove(_ stream: Stream) {
        guard stream.organization === self, let last = members.popLast() else { return }
        stream.organization = nil
        guard last !== stream else { return }
        members[stream.index] = last
        last.index = stream.index
    }
}

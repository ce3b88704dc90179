import CFastCGI
import Glibc

/// One answer as records, sent in one piece.
///
/// libfcgi's own stream copies everything into records of 8 kB and writes each of them by itself, so that nginx
/// wakes for the first and again for the rest; and a peer that reads a little now and then holds it for ever.
struct Answer {
    let requestID: UInt16
    let head: [UInt8]
    let body: [UInt8]

    /// The longest content that needs no padding: records end at a multiple of eight bytes.
    private static let mostContent = 65_528
    private static let output: UInt8 = 6
    private static let endRequest: UInt8 = 3
    /// Far fewer than the kernel takes at once (`IOV_MAX`).
    private static let piecesAtOnce = 64

    /// How much the peer has to take in the time that it is given, again and again: so a long answer has longer.
    private static let stretch = 1 << 20

    /// Sends all of it; false where the peer has gone, or takes longer than `pace` for a mebibyte.
    func send(to connection: CInt, pace: Duration) -> Bool {
        let frames = frames()
        return frames.withUnsafeBytes { frames in
            head.withUnsafeBytes { head in
                body.withUnsafeBytes { body in
                    Self.send(Self.pieces(frames[...], head[...], body[...]), to: connection, pace: pace)
                }
            }
        }
    }

    /// What surrounds the content: the records' headers, and then padding, the stream's end and the request's.
    private func frames() -> [UInt8] {
        var rest = head.count + body.count
        var frames: [UInt8] = []
        frames.reserveCapacity(8 * (rest / Self.mostContent + 1) + 31)
        var padding = 0
        while rest > 0 {
            let count = min(rest, Self.mostContent)
            padding = -count & 7
            frames.append(recordHeader: Self.output, requestID: requestID, content: count, padding: padding)
            rest -= count
        }
        frames.append(contentsOf: repeatElement(0, count: padding))
        frames.append(recordHeader: Self.output, requestID: requestID, content: 0, padding: 0)
        frames.append(recordHeader: Self.endRequest, requestID: requestID, content: 8, padding: 0)
        // The application's status is 0, and the request is complete, which is 0 too.
        frames.append(contentsOf: repeatElement(0, count: 8))
        return frames
    }

    private static func pieces(
        _ frames: Slice<UnsafeRawBufferPointer>, _ head: Slice<UnsafeRawBufferPointer>,
        _ body: Slice<UnsafeRawBufferPointer>
    ) -> [iovec] {
        var (frames, head, body) = (frames, head, body)
        var pieces: [iovec] = []
        pieces.reserveCapacity(4)
        while !head.isEmpty || !body.isEmpty {
            pieces.append(piece: frames.prefix(8))
            frames = frames.dropFirst(8)
            let room = max(0, mostContent - head.count)
            pieces.append(piece: head.prefix(mostContent))
            pieces.append(piece: body.prefix(room))
            head = head.dropFirst(mostContent)
            body = body.dropFirst(room)
        }
        pieces.append(piece: frames)
        return pieces
    }

    private static func send(_ pieces: [iovec], to connection: CInt, pace: Duration) -> Bool {
        var rest = pieces[...]
        var (deadline, taken) = (ContinuousClock.now + pace, 0)
        while !rest.isEmpty {
            let count = rest.withUnsafeMutableBufferPointer { buffer in
                var message = msghdr()
                message.msg_iov = buffer.baseAddress
                message.msg_iovlen = min(buffer.count, piecesAtOnce)
                return sendmsg(connection, &message, CInt(MSG_NOSIGNAL | MSG_DONTWAIT))
            }
            if count >= 0 {
                rest.drop(sent: count)
                taken += count
                if taken >= stretch { (deadline, taken) = (.now + pace, 0) }
            } else if errno == EAGAIN {
                guard waitForRoom(connection, until: deadline) else { return false }
            } else if errno != EINTR {
                return false
            }
        }
        return true
    }

    private static func waitForRoom(_ connection: CInt, until deadline: ContinuousClock.Instant) -> Bool {
        var descriptor = pollfd(fd: connection, events: Int16(POLLOUT), revents: 0)
        let remaining = ContinuousClock.now.duration(to: deadline)
        guard remaining > .zero else { return false }
        // At least 1 ms, or the last fraction of it would be spent asking again and again.
        return poll(&descriptor, 1, CInt((remaining / .milliseconds(1)).rounded(.up))) >= 0
    }
}

extension [iovec] {
    fileprivate mutating func append(piece: Slice<UnsafeRawBufferPointer>) {
        guard !piece.isEmpty else { return }
        let bytes = UnsafeRawBufferPointer(rebasing: piece)
        append(iovec(iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count))
    }
}

extension ArraySlice<iovec> {
    /// Goes on after so many bytes.
    fileprivate mutating func drop(sent count: Int) {
        var count = count
        while let next = first, count >= next.iov_len {
            count -= next.iov_len
            removeFirst()
        }
        guard count > 0 else { return }
        self[startIndex].iov_base = self[startIndex].iov_base?.advanced(by: count)
        self[startIndex].iov_len -= count
    }
}

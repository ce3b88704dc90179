import CFastCGI
import CLinux
import Glibc

/// One response as records, sent in one piece.
///
/// libfcgi's own stream copies a response into records of 8 kB and writes each of them separately, so that nginx wakes
/// up for every record. It also has no deadline, so that a peer that reads slowly would hold a worker without end.
struct ResponseRecords {
    let requestID: UInt16
    let head: [UInt8]
    let body: [UInt8]

    /// The longest content of a record that needs no padding. A record ends at a multiple of eight bytes.
    private static let mostContent = 65_528
    private static let headerLength = Int(FCGI_HEADER_LEN)
    /// The most pieces in one system call, far fewer than the kernel accepts (`IOV_MAX`).
    private static let piecesAtOnce = 64

    /// How many bytes the peer must accept before each deadline, so that a long response has more time.
    private static let part = 1 << 20

    /// Sends the whole response. Returns false if the peer has closed or takes longer than `pace` for a mebibyte.
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

    /// The bytes around the content: the records' headers, the padding, the end of the stream and of the request.
    private func frames() -> [UInt8] {
        var rest = head.count + body.count
        var frames: [UInt8] = []
        frames.reserveCapacity(Self.headerLength * (rest / Self.mostContent + 4))
        var padding = 0
        while rest > 0 {
            let count = min(rest, Self.mostContent)
            padding = -count & 7
            frames.append(recordHeader: FCGI_STDOUT, requestID: requestID, content: count, padding: padding)
            rest -= count
        }
        frames.append(contentsOf: repeatElement(0, count: padding))
        frames.append(recordHeader: FCGI_STDOUT, requestID: requestID, content: 0, padding: 0)
        let end = MemoryLayout<FCGI_EndRequestBody>.size
        frames.append(recordHeader: FCGI_END_REQUEST, requestID: requestID, content: end, padding: 0)
        // Its two statuses, the application's and FCGI_REQUEST_COMPLETE, are 0.
        frames.append(contentsOf: repeatElement(0, count: end))
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
            pieces.append(piece: frames.prefix(headerLength))
            frames = frames.dropFirst(headerLength)
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
                if taken >= part { (deadline, taken) = (.now + pace, 0) }
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
        // The time is rounded up. With 0 ms, the last fraction would be a busy loop.
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
    /// Removes the first `count` bytes, which have been sent.
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

/// Follows the bytes of one request, record by record (FastCGI specification 1.0, section 3.3).
///
/// It tells two things before libfcgi sees a byte. Whether the request is whole: then libfcgi never waits, and no
/// client holds a worker. And whether it is what nginx sends: libfcgi 2.4.2 overflows its stack on a management
/// record, and its heap on lengths near 2 GB (CVE-2025-23016), wherever in a request they come.
///
/// Pure: it is told bytes, in pieces of any size, and knows no socket.
struct RequestScan {
    enum Verdict: Equatable {
        case incomplete
        /// Its last byte was among those told last, of which it took so many.
        case complete(Int)
        /// Nothing that nginx would send.
        case broken
    }

    /// What a request consists of, without its records; kept only where it comes in parts.
    struct Content {
        var beginning: [UInt8] = []
        var parameters: [UInt8] = []
        var input: [UInt8] = []
    }

    private enum Stage { case beginning, parameters, input }

    /// More than nginx lets a client send in all its headers.
    static let mostParameters = 64 * 1024
    /// More than any body that is accepted: the rest of a longer one is counted, not kept.
    static let mostInput = 128 * 1024

    private var stage = Stage.beginning
    private var header: UInt64 = 0
    private var headerBytes = 0
    private var contentLeft = 0
    private var paddingLeft = 0
    private var beginningBytes = 0
    private var parameterBytes = 0
    private var pairs = PairScan()
    private var content: Content?

    private(set) var requestID: UInt16 = 0
    /// How long the body is.
    private(set) var inputLength = 0

    /// - Parameter keeping: whether ``content`` is wanted.
    init(keeping: Bool = false) { content = keeping ? Content() : nil }

    /// What has been kept; nothing where it was not wanted.
    var kept: Content { content ?? Content() }

    /// Takes the next bytes; not to be told any more after a verdict.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Verdict {
        var position = 0
        while position < bytes.count {
            if contentLeft > 0 {
                let count = min(contentLeft, bytes.count - position)
                contentLeft -= count
                let part = UnsafeRawBufferPointer(rebasing: bytes[position..<position + count])
                guard takeContent(part) else { return .broken }
                position += count
            } else if paddingLeft > 0 {
                let count = min(paddingLeft, bytes.count - position)
                paddingLeft -= count
                position += count
            } else {
                header = header << 8 | UInt64(bytes[position])
                headerBytes += 1
                position += 1
                guard headerBytes == 8 else { continue }
                headerBytes = 0
                switch openRecord() {
                case .incomplete: continue
                case .complete: return .complete(position)
                case .broken: return .broken
                }
            }
        }
        return .incomplete
    }

    /// Looks at the header of a record that has just come whole.
    private mutating func openRecord() -> Verdict {
        let id = UInt16(truncatingIfNeeded: header >> 32)
        contentLeft = Int(header >> 16 & 0xFFFF)
        paddingLeft = Int(header >> 8 & 0xFF)
        guard header >> 56 == 1, id != 0, stage == .beginning || id == requestID else { return .broken }
        // libfcgi forgets the padding of records that begin or end something, and takes it for a header.
        let isPlain = contentLeft > 0 || paddingLeft == 0
        switch (stage, header >> 48 & 0xFF) {
        case (.beginning, 1):
            requestID = id
            return contentLeft == 8 && paddingLeft == 0 ? .incomplete : .broken
        case (.parameters, 4):
            parameterBytes += contentLeft
            guard isPlain, parameterBytes <= Self.mostParameters else { return .broken }
            guard contentLeft == 0 else { return .incomplete }
            stage = .input
            return pairs.isAtEnd ? .incomplete : .broken
        case (.input, 5):
            inputLength += contentLeft
            guard isPlain else { return .broken }
            return contentLeft == 0 ? .complete(0) : .incomplete
        default: return .broken
        }
    }

    private mutating func takeContent(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch stage {
        case .beginning:
            // The role, in two bytes: there is no other than the responder's.
            for byte in bytes {
                guard beginningBytes >= 2 || byte == UInt8(beginningBytes) else { return false }
                beginningBytes += 1
            }
            content?.beginning += bytes
            if contentLeft == 0 { stage = .parameters }
            return true
        case .parameters:
            content?.parameters += bytes
            return pairs.take(bytes)
        case .input:
            let room = Self.mostInput - (content?.input.count ?? 0)
            content?.input += bytes.prefix(room)
            return true
        }
    }
}

/// Follows names and values, their lengths in one byte or four (section 3.4).
struct PairScan {
    private var left = 0
    private var sum = 0
    private var length = 0
    private var lengthBytesLeft = 0
    private var lengthsRead = 0

    /// Whether the last pair is whole.
    var isAtEnd: Bool { left == 0 && lengthBytesLeft == 0 && lengthsRead == 0 }

    /// Takes the next bytes; false where a pair is longer than all of them may be.
    mutating func take(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var position = 0
        while position < bytes.count {
            guard left == 0 else {
                let count = min(left, bytes.count - position)
                left -= count
                position += count
                continue
            }
            let byte = bytes[position]
            position += 1
            if lengthBytesLeft > 0 {
                length = length << 8 | Int(byte)
                lengthBytesLeft -= 1
            } else if byte < 0x80 {
                length = Int(byte)
            } else {
                length = Int(byte & 0x7F)
                lengthBytesLeft = 3
            }
            guard lengthBytesLeft > 0 || endLength() else { return false }
        }
        return true
    }

    private mutating func endLength() -> Bool {
        sum += length
        lengthsRead += 1
        guard sum <= RequestScan.mostParameters else { return false }
        guard lengthsRead == 2 else { return true }
        (left, sum, lengthsRead) = (sum, 0, 0)
        return true
    }
}

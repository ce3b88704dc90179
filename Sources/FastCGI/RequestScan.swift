import CFastCGI

/// Parses the records of one request before libfcgi does (FastCGI specification 1.0, section 3.3).
///
/// It answers two questions. The first is whether the request has arrived completely, so that libfcgi never waits and
/// no client can block a worker. The second is whether nginx would send such a request, since libfcgi 2.4.2 overflows
/// its stack on a management record and its heap on lengths near 2 GB (CVE-2025-23016).
///
/// It accepts bytes in pieces of any size and uses no socket.
struct RequestScan {
    enum Verdict: Equatable {
        case incomplete
        /// The request is complete. The value is the number of bytes of the last piece that belong to it.
        case complete(Int)
        /// nginx would not send such a request.
        case broken
    }

    /// The content of a request's records. It is stored only if the request arrives in parts.
    struct Content {
        var beginning: [UInt8] = []
        var parameters: [UInt8] = []
        var input: [UInt8] = []
    }

    private enum Stage { case beginning, parameters, input }

    /// The most bytes of parameters, more than nginx lets a client send in all its headers.
    static let mostParameters = 64 * 1024
    /// The most bytes of a body that are stored, more than any accepted body has. The rest of a longer one is counted.
    static let mostInput = 128 * 1024

    private var stage = Stage.beginning
    private var header: UInt64 = 0
    private var headerBytes = 0
    private var contentLeft = 0
    private var paddingLeft = 0
    private var beginningBytes = 0
    private var role: CInt = 0
    private var parameterBytes = 0
    private var pairs = PairScan()
    private var content: Content?

    private(set) var requestID: UInt16 = 0
    /// The length of the body, in bytes.
    private(set) var inputLength = 0

    /// - Parameter storing: whether to store the content.
    init(storing: Bool = false) { content = storing ? Content() : nil }

    /// The content so far. It is empty if the scan does not store it.
    var storedContent: Content { content ?? Content() }

    /// Parses the next bytes. Do not call it again after ``Verdict/complete(_:)`` or ``Verdict/broken``.
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
                guard headerBytes == FCGI_HEADER_LEN else { continue }
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

    /// Checks the header of a record once it is complete.
    private mutating func openRecord() -> Verdict {
        let id = UInt16(truncatingIfNeeded: header >> 32)
        contentLeft = Int(header >> 16 & 0xFFFF)
        paddingLeft = Int(header >> 8 & 0xFF)
        guard header >> 56 == FCGI_VERSION_1, id != FCGI_NULL_REQUEST_ID, stage == .beginning || id == requestID else {
            return .broken
        }
        // libfcgi does not skip the padding of a record that begins a request or ends a stream. It would parse the
        // padding as a header.
        let isPlain = contentLeft > 0 || paddingLeft == 0
        switch (stage, CInt(header >> 48 & 0xFF)) {
        case (.beginning, FCGI_BEGIN_REQUEST):
            requestID = id
            return contentLeft == MemoryLayout<FCGI_BeginRequestBody>.size && paddingLeft == 0 ? .incomplete : .broken
        case (.parameters, FCGI_PARAMS):
            parameterBytes += contentLeft
            guard isPlain, parameterBytes <= Self.mostParameters else { return .broken }
            guard contentLeft == 0 else { return .incomplete }
            stage = .input
            return pairs.isAtEnd ? .incomplete : .broken
        case (.input, FCGI_STDIN):
            inputLength += contentLeft
            guard isPlain else { return .broken }
            return contentLeft == 0 ? .complete(0) : .incomplete
        default: return .broken
        }
    }

    private mutating func takeContent(_ bytes: UnsafeRawBufferPointer) -> Bool {
        switch stage {
        case .beginning:
            // The first two bytes are the role.
            for byte in bytes {
                if beginningBytes < 2 { role = role << 8 | CInt(byte) }
                beginningBytes += 1
                guard beginningBytes != 2 || role == FCGI_RESPONDER else { return false }
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

/// Parses pairs of a name and a value. Each has a length of one or four bytes (section 3.4).
struct PairScan {
    private var left = 0
    private var sum = 0
    private var length = 0
    private var lengthBytesLeft = 0
    private var lengthsRead = 0

    /// True if the last pair is complete.
    var isAtEnd: Bool { left == 0 && lengthBytesLeft == 0 && lengthsRead == 0 }

    /// Parses the next bytes. Returns false if a pair is longer than ``RequestScan/mostParameters``.
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

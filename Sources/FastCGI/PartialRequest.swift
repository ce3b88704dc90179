import CFastCGI
import CLinux
import Glibc

/// A request that did not arrive in one piece: its content so far, and the deadline for the rest.
///
/// Only the content of the records is stored. So a request takes at most ``RequestScan/mostParameters`` and
/// ``RequestScan/mostInput`` bytes, however many records a client splits it into.
struct PartialRequest: Sendable {
    private var scan = RequestScan(storing: true)
    let deadline: ContinuousClock.Instant

    /// The most reads of a connection in one turn, so that a fast sender does not hold a worker.
    private static let readsATurn = 8

    init(deadline: ContinuousClock.Instant) { self.deadline = deadline }

    var requestID: UInt16 { scan.requestID }
    var inputLength: Int { scan.inputLength }

    /// Reads the bytes that have arrived, without waiting.
    mutating func read(_ connection: CInt) -> RequestScan.Verdict {
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            for _ in 0..<Self.readsATurn {
                let count = recv(connection, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
                guard count > 0 else { return count < 0 && errno == EAGAIN ? .incomplete : .broken }
                let verdict = scan.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                // nginx sends no further bytes before it has the response.
                if case .complete(let taken) = verdict { return taken == count ? verdict : .broken }
                guard verdict == .incomplete else { return verdict }
            }
            return .incomplete
        }
    }

    /// A file in memory that contains the request as records. Nil if memory is short.
    ///
    /// libfcgi reads from a descriptor. On a socket it would wait for missing data, on a file it never waits.
    func file() -> CInt? {
        let file = memfd_create("fastcgi-request", reengagement_MFD_CLOEXEC)
        guard file >= 0 else { return nil }
        let bytes = records()
        let written = bytes.withUnsafeBytes { write(file, $0.baseAddress, $0.count) }
        guard written == bytes.count, lseek(file, 0, SEEK_SET) == 0 else {
            close(file)
            return nil
        }
        return file
    }

    private func records() -> [UInt8] {
        let content = scan.storedContent
        var bytes: [UInt8] = []
        bytes.reserveCapacity(content.parameters.count + content.input.count + 128)
        append(record: FCGI_BEGIN_REQUEST, content.beginning[...], to: &bytes)
        append(stream: FCGI_PARAMS, content.parameters, to: &bytes)
        append(stream: FCGI_STDIN, content.input, to: &bytes)
        return bytes
    }

    private func append(stream type: CInt, _ content: [UInt8], to bytes: inout [UInt8]) {
        var rest = content[...]
        while !rest.isEmpty {
            append(record: type, rest.prefix(Int(FCGI_MAX_LENGTH)), to: &bytes)
            rest = rest.dropFirst(Int(FCGI_MAX_LENGTH))
        }
        append(record: type, [], to: &bytes)
    }

    private func append(record type: CInt, _ content: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(recordHeader: type, requestID: requestID, content: content.count, padding: 0)
        bytes += content
    }
}

extension [UInt8] {
    /// Appends the header of a record (FastCGI specification 1.0, section 3.3).
    mutating func append(recordHeader type: CInt, requestID: UInt16, content: Int, padding: Int) {
        append(UInt8(FCGI_VERSION_1))
        append(UInt8(type))
        append(UInt8(requestID >> 8))
        append(UInt8(requestID & 0xFF))
        append(UInt8(content >> 8))
        append(UInt8(content & 0xFF))
        append(UInt8(padding))
        append(0)
    }
}

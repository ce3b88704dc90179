import CFastCGI
import Glibc

/// A request that did not come in one piece: what there is of it, and until when the rest may come.
struct PartialRequest: Sendable {
    private var scan = RequestScan(keeping: true)
    let deadline: ContinuousClock.Instant

    /// In one turn a connection is read this often at most, so that whoever sends fast leaves a worker to others.
    private static let readsATurn = 8

    init(deadline: ContinuousClock.Instant) { self.deadline = deadline }

    var requestID: UInt16 { scan.requestID }
    var inputLength: Int { scan.inputLength }

    /// Reads what has arrived, without waiting.
    mutating func read(_ connection: CInt) -> RequestScan.Verdict {
        withUnsafeTemporaryAllocation(byteCount: 1 << 16, alignment: 16) { buffer in
            for _ in 0..<Self.readsATurn {
                let count = recv(connection, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
                guard count > 0 else { return count < 0 && errno == EAGAIN ? .incomplete : .broken }
                let verdict = scan.take(UnsafeRawBufferPointer(rebasing: buffer[..<count]))
                // Nothing follows a request before its answer.
                if case .complete(let taken) = verdict { return taken == count ? verdict : .broken }
                guard verdict == .incomplete else { return verdict }
            }
            return .incomplete
        }
    }

    /// A file in memory that reads like a connection on which all of it came at once; nil without memory for it.
    ///
    /// libfcgi reads from descriptors alone, and what it reads must be there.
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
        let content = scan.kept
        var bytes: [UInt8] = []
        bytes.reserveCapacity(content.parameters.count + content.input.count + 128)
        append(record: 1, content.beginning[...], to: &bytes)
        append(stream: 4, content.parameters, to: &bytes)
        append(stream: 5, content.input, to: &bytes)
        return bytes
    }

    private func append(stream type: UInt8, _ content: [UInt8], to bytes: inout [UInt8]) {
        var rest = content[...]
        while !rest.isEmpty {
            append(record: type, rest.prefix(0xFFFF), to: &bytes)
            rest = rest.dropFirst(0xFFFF)
        }
        append(record: type, [], to: &bytes)
    }

    private func append(record type: UInt8, _ content: ArraySlice<UInt8>, to bytes: inout [UInt8]) {
        bytes.append(recordHeader: type, requestID: requestID, content: content.count, padding: 0)
        bytes += content
    }
}

extension [UInt8] {
    /// Appends the eight bytes that a record starts with (FastCGI specification 1.0, section 3.3).
    mutating func append(recordHeader type: UInt8, requestID: UInt16, content: Int, padding: Int) {
        append(1)
        append(type)
        append(UInt8(requestID >> 8))
        append(UInt8(requestID & 0xFF))
        append(UInt8(content >> 8))
        append(UInt8(content & 0xFF))
        append(UInt8(padding))
        append(0)
    }
}

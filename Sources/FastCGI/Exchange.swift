import CFastCGI
import Glibc
import Text

/// One request and its response, on one thread at a time.
///
/// The thread that accepted the request may forward it to another thread.
public final class Exchange {
    /// The body of a request.
    public enum Body: Sendable, Equatable {
        case complete([UInt8])
        /// The body is longer than the limit.
        case tooLarge
        /// The connection broke, or ``endReading()`` was called before the body was read.
        case incomplete
    }

    /// The longest body that ``body(limit:)`` returns.
    public static let longestBody = RequestScan.mostInput

    private let request: UnsafeMutablePointer<FCGX_Request>
    private let connection: CInt
    private let acceptor: Acceptor
    private let inputLength: Int
    private let parameters: Parameters
    private var isFinished = false
    private var isReleased = false
    /// True if the connection is closed after this response.
    ///
    /// This is decided when the request is read. After the response, nginx may already have sent its next request,
    /// which must not be lost with the connection.
    private let isLast: Bool

    /// How long the peer may take for each mebibyte of a response.
    ///
    /// nginx reads a response at once. It writes a long one into a file, which may wait for a disk.
    private static let pace = Duration.seconds(5)

    /// Has libfcgi read a request that has arrived completely on `connection`.
    ///
    /// - Returns: nil if libfcgi refused the request and closed the connection.
    static func begin(connection: CInt, _ scan: RequestScan, acceptor: Acceptor) -> Exchange? {
        accept(from: connection).map {
            Exchange($0, connection: connection, inputLength: scan.inputLength, acceptor: acceptor)
        }
    }

    /// Has libfcgi read a request that arrived in parts.
    ///
    /// - Returns: nil if memory is short or libfcgi refused the request.
    static func begin(connection: CInt, _ partial: PartialRequest, acceptor: Acceptor) -> Exchange? {
        partial.file().flatMap { accept(from: $0) }.map {
            Exchange($0, connection: connection, inputLength: partial.inputLength, acceptor: acceptor)
        }
    }

    private static func accept(from descriptor: CInt) -> UnsafeMutablePointer<FCGX_Request>? {
        let request = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
        // -1 means no listening socket. With a socket, libfcgi would accept a connection itself after a broken request.
        FCGX_InitRequest(request, -1, 0)
        request.pointee.ipcFd = descriptor
        // With 0, FCGX_Accept_r would first finish a "previous" request and close the connection.
        request.pointee.keepConnection = 1
        guard FCGX_Accept_r(request) == 0 else {
            request.deallocate()
            return nil
        }
        return request
    }

    private init(
        _ request: UnsafeMutablePointer<FCGX_Request>, connection: CInt, inputLength: Int, acceptor: Acceptor
    ) {
        self.request = request
        self.connection = connection
        self.acceptor = acceptor
        self.inputLength = inputLength
        parameters = Parameters(request.pointee.envp)
        isLast = acceptor.isStopping
    }

    deinit {
        // nginx waits for the end of every request that it began.
        respond(head: [], body: [])
        request.deallocate()
    }

    /// The bytes of a FastCGI parameter, such as `REQUEST_METHOD` or `HTTP_AUTHORIZATION`. Nil if nginx sent none.
    ///
    /// A header that was sent twice arrives as two parameters and counts as one list (RFC 9110 section 5.3).
    /// `FCGX_GetParam` would drop all but the first.
    public func parameter(_ name: StaticString) -> [UInt8]? { isReleased ? nil : parameters[name] }

    /// The number of parameters of that name. nginx before 1.23 sends one parameter for each line of a header.
    public func count(of name: StaticString) -> Int { isFinished ? 0 : parameters.count(of: name) }

    /// True if a header has more than `limit` bytes, name and value together. The headers `names` are exempt.
    public func hasHeader(longerThan limit: Int, except names: [StaticString]) -> Bool {
        !isReleased && parameters.hasHeader(longerThan: limit, except: names)
    }

    /// A parameter as text. Nil if nginx sent none or it is not UTF-8.
    public func text(_ name: StaticString) -> String? {
        parameter(name).flatMap { String(utf8: $0) }
    }

    /// Reads the request's body, of at most `limit` and at most ``longestBody`` bytes.
    public func body(limit: Int) -> Body {
        guard inputLength <= min(limit, Self.longestBody) else { return .tooLarge }
        guard !isReleased else { return .incomplete }
        // For an empty array, this initializer would write into the storage that all empty arrays share.
        guard inputLength > 0 else { return .complete([]) }
        // The body has arrived completely, so this does not wait.
        let body = [UInt8](unsafeUninitializedCapacity: inputLength) { buffer, count in
            count = buffer.withMemoryRebound(to: CChar.self) { chars in
                Int(FCGX_GetStr(chars.baseAddress, CInt(inputLength), request.pointee.in))
            }
        }
        return body.count == inputLength ? .complete(body) : .incomplete
    }

    /// Sends the response and gives the connection back to the acceptor. Only the first call has an effect.
    ///
    /// - Parameter head: the head in CGI's form (RFC 3875 section 6).
    public func respond(head: [UInt8], body: [UInt8]) {
        guard !isFinished else { return }
        isFinished = true
        endReading()
        let keeps = request.pointee.keepConnection != 0
        let isSent = ResponseRecords(
            requestID: UInt16(truncatingIfNeeded: request.pointee.requestId), head: head, body: body
        )
        .send(to: connection, pace: Self.pace)
        acceptor.giveBack(connection, keep: isSent && keeps && !isLast)
    }

    /// Reads the rest of the request and frees libfcgi's memory.
    ///
    /// The connection's next request begins after the last byte. From then on this request has neither parameters nor a
    /// body. It still needs a response.
    public func endReading() {
        guard !isReleased else { return }
        isReleased = true
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: 8192) { buffer in
            while FCGX_GetStr(buffer.baseAddress, CInt(buffer.count), request.pointee.in) > 0 {}
        }
        // FCGX_Finish_r is not used. It sends a response of its own, and closes the connection if that fails.
        FCGX_Free(request, 0)
        if request.pointee.ipcFd != connection { close(request.pointee.ipcFd) }
        request.pointee.ipcFd = -1
    }
}

/// libfcgi's list of `NAME=value`, parsed once because a request uses several parameters.
private struct Parameters {
    private struct Entry {
        let name: UnsafeRawBufferPointer
        let value: UnsafeRawBufferPointer
    }

    private var entries: [Entry] = []

    /// - Parameter list: libfcgi's array. Its pointers are valid as long as the request exists.
    init(_ list: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?) {
        guard var next = list else { return }
        entries.reserveCapacity(32)
        while let text = next.pointee {
            next += 1
            guard let separator = strchr(text, CInt(UInt8(ascii: "="))) else { continue }
            let value = separator + 1
            entries.append(
                Entry(
                    name: UnsafeRawBufferPointer(start: text, count: separator - text),
                    value: UnsafeRawBufferPointer(start: value, count: strlen(value))))
        }
    }

    /// The values of all parameters of that name, joined by commas.
    subscript(name: StaticString) -> [UInt8]? {
        var found: [UInt8]?
        for entry in entries where Self.isEqual(entry.name, name) {
            found = found.map { $0 + ", ".utf8 + entry.value } ?? Array(entry.value)
        }
        return found
    }

    func count(of name: StaticString) -> Int { entries.count { Self.isEqual($0.name, name) } }

    func hasHeader(longerThan limit: Int, except names: [StaticString]) -> Bool {
        entries.contains { entry in
            entry.name.count + entry.value.count > limit && entry.name.starts(with: "HTTP_".utf8)
                && !names.contains { Self.isEqual(entry.name, $0) }
        }
    }

    private static func isEqual(_ bytes: UnsafeRawBufferPointer, _ name: StaticString) -> Bool {
        guard bytes.count == name.utf8CodeUnitCount, let start = bytes.baseAddress else { return false }
        return memcmp(start, name.utf8Start, bytes.count) == 0
    }
}

import CFastCGI
import Glibc

/// One request and its answer, on one worker thread.
///
/// The thread that accepted it sends exactly one response and then calls ``finish()``.
public final class Exchange {
    /// The body of a request.
    public enum Body: Sendable, Equatable {
        case complete([UInt8])
        /// Longer than was allowed.
        case tooLarge
        /// The connection broke before its end.
        case incomplete
    }

    private let request: UnsafeMutablePointer<FCGX_Request>
    private let acceptor: Acceptor
    private var isFinished = false
    /// Decided as the request is read: its answer may be with nginx, and the next request under way, before
    /// the connection is given back.
    private let isLast: Bool

    /// How much of a body that nobody wanted is read away to keep the connection: nginx's own limit.
    private static let mostDrained = 1 << 20

    /// Reads a request's parameters; nil where they are broken, and then libfcgi has closed the connection.
    static func begin(connection: CInt, acceptor: Acceptor) -> Exchange? {
        let request = UnsafeMutablePointer<FCGX_Request>.allocate(capacity: 1)
        // No listening socket: libfcgi would accept the next connection by itself after a broken request.
        FCGX_InitRequest(request, -1, 0)
        request.pointee.ipcFd = connection
        // Otherwise FCGX_Accept_r first finishes the "previous" request and closes the connection.
        request.pointee.keepConnection = 1
        guard FCGX_Accept_r(request) == 0 else {
            request.deallocate()
            return nil
        }
        // Parameters that break off between two of them look to libfcgi like all of them.
        guard FCGX_GetError(request.pointee.in) == 0 else {
            FCGX_Free(request, 1)
            request.deallocate()
            return nil
        }
        return Exchange(request: request, acceptor: acceptor)
    }

    private init(request: UnsafeMutablePointer<FCGX_Request>, acceptor: Acceptor) {
        self.request = request
        self.acceptor = acceptor
        isLast = acceptor.isStopping
    }

    deinit {
        finish()
        request.deallocate()
    }

    /// The bytes of a FastCGI parameter, such as `REQUEST_METHOD` or `HTTP_AUTHORIZATION`; nil where nginx sent none.
    ///
    /// A header that was sent twice arrives as two parameters and counts as one list (RFC 9110 section 5.3):
    /// `FCGX_GetParam` would drop all but the first, and which one that is would be the client's to choose.
    public func parameter(_ name: StaticString) -> [UInt8]? {
        guard !isFinished, var next = request.pointee.envp else { return nil }
        var found: [UInt8]?
        while let entry = next.pointee {
            if strncmp(entry, name.utf8Start, name.utf8CodeUnitCount) == 0,
                entry[name.utf8CodeUnitCount] == CChar(bitPattern: UInt8(ascii: "="))
            {
                let value = entry + name.utf8CodeUnitCount + 1
                let bytes = UnsafeRawBufferPointer(start: value, count: strlen(value))
                found = found.map { $0 + ", ".utf8 + bytes } ?? Array(bytes)
            }
            next += 1
        }
        return found
    }

    /// A parameter as text; nil where nginx sent none or it is not UTF-8.
    public func text(_ name: StaticString) -> String? {
        parameter(name).flatMap { String(validating: $0, as: UTF8.self) }
    }

    /// Reads the request's body, of at most `limit` bytes.
    public func body(limit: Int) -> Body {
        var body: [UInt8] = []
        while body.count <= limit {
            let chunk = readChunk(atMost: min(8192, limit + 1 - body.count))
            if chunk.isEmpty { return FCGX_GetError(request.pointee.in) == 0 ? .complete(body) : .incomplete }
            body += chunk
        }
        return .tooLarge
    }

    /// Sends bytes of the response, whose head is in CGI's form (RFC 3875 section 6).
    public func send(_ bytes: [UInt8]) {
        // A failure shows in the stream and closes the connection in finish(); there is nobody left to tell.
        bytes.withUnsafeBufferPointer { buffer in
            buffer.withMemoryRebound(to: CChar.self) { chars in
                _ = FCGX_PutStr(chars.baseAddress, CInt(chars.count), request.pointee.out)
            }
        }
    }

    /// Ends the response and gives the connection back.
    public func finish() {
        guard !isFinished else { return }
        isFinished = true
        let drained = drain()
        // The connection is taken back and closed by us where it must be: libfcgi would wait for the peer.
        let clientKeeps = request.pointee.keepConnection != 0
        request.pointee.keepConnection = 1
        FCGX_Finish_r(request)
        let connection = request.pointee.ipcFd
        guard connection >= 0 else { return acceptor.connectionWasClosed() }
        request.pointee.ipcFd = -1
        request.pointee.keepConnection = 0
        acceptor.giveBack(connection, keep: clientKeeps && drained && !isLast)
    }

    /// Reads away what is left of the body, so that the next request starts at its first byte.
    private func drain() -> Bool {
        var count = 0
        while count <= Self.mostDrained {
            let chunk = readChunk(atMost: 8192)
            if chunk.isEmpty { return true }
            count += chunk.count
        }
        return false
    }

    private func readChunk(atMost limit: Int) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            count = buffer.withMemoryRebound(to: CChar.self) { chars in
                Int(FCGX_GetStr(chars.baseAddress, CInt(limit), request.pointee.in))
            }
        }
    }
}

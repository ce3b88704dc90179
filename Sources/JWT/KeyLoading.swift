import Glibc
internal import JSON

/// Reads a whole regular file of at most `limit` bytes that no other user may change.
func readFile(_ path: String, atMost limit: Int) throws(KeyError) -> [UInt8] {
    try checkTrust(path)
    // With O_NONBLOCK, a FIFO at the path does not block the thread until a process writes to it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw KeyError("names a file that cannot be opened: \(errnoText())") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        throw KeyError("names something that is not a regular file")
    }
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    var length = 0
    while length < bytes.count {
        let count = bytes.withUnsafeMutableBytes {
            read(descriptor, $0.baseAddress.map { $0 + length }, $0.count - length)
        }
        if count == -1 && errno == EINTR { continue }
        guard count >= 0 else { throw KeyError("names a file that cannot be read: \(errnoText())") }
        guard count > 0 else { return Array(bytes.prefix(length)) }
        length += count
    }
    throw KeyError("names a file of more than \(limit) bytes")
}

/// Refuses a file that other users may change (``FileTrust``).
func checkTrust(_ path: String) throws(KeyError) {
    if let reason = FileTrust().reason(path) {
        throw KeyError("names a file that others can change: \(reason)")
    }
}

private func errnoText() -> String { String(cString: strerror(errno)) }

extension JWKS {
    /// The largest JWKS, in bytes: more than any set of keys needs, and little enough to hold in memory at once.
    static let maximumLength = 256 << 10

    /// Reads the JWKS in the file at `path`.
    static func load(file path: String) throws(KeyError) -> JWKS {
        let bytes = try readFile(path, atMost: maximumLength)
        return try JWKS(bytes, of: "names a file without a usable JWKS")
    }

    /// Fetches the JWKS at `url`.
    static func load(
        url: String, with client: HTTPSClient, isStopped: @escaping StopCheck
    ) throws(KeyError) -> JWKS {
        // A user who can change the authorities can impersonate the server.
        if let caFile = client.caFile { try checkTrust(caFile) }
        let bytes = try client.get(url, atMost: maximumLength, isStopped: isStopped)
        return try JWKS(bytes, of: "the response is not a usable JWKS")
    }

    /// - Parameter context: precedes the reason in the error.
    private init(_ bytes: [UInt8], of context: String) throws(KeyError) {
        do throws(KeyError) {
            try self.init(bytes)
        } catch {
            throw KeyError("\(context): \(error.text)")
        }
    }
}

import Glibc
internal import JSON

/// Why a JWKS could not be had, in words for the log.
struct KeyLoadError: Error, Equatable {
    let message: String
}

/// Reads a whole regular file of at most `limit` bytes that nobody else may change.
func readFile(_ path: String, atMost limit: Int) throws(KeyLoadError) -> [UInt8] {
    try checkTrust(path)
    // O_NONBLOCK: a FIFO at the path must not hold the thread until somebody writes to it.
    let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard descriptor >= 0 else { throw KeyLoadError(message: "names a file that cannot be opened: \(errnoText())") }
    defer { close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
        throw KeyLoadError(message: "names something that is not a regular file")
    }
    var bytes = [UInt8](repeating: 0, count: limit + 1)
    var length = 0
    while length < bytes.count {
        let count = bytes.withUnsafeMutableBytes {
            read(descriptor, $0.baseAddress.map { $0 + length }, $0.count - length)
        }
        if count == -1 && errno == EINTR { continue }
        guard count >= 0 else { throw KeyLoadError(message: "names a file that cannot be read: \(errnoText())") }
        guard count > 0 else { return Array(bytes.prefix(length)) }
        length += count
    }
    throw KeyLoadError(message: "names a file of more than \(limit) bytes")
}

/// Refuses a file that others may change (``FileTrust``).
func checkTrust(_ path: String) throws(KeyLoadError) {
    if let fault = FileTrust().fault(path) {
        throw KeyLoadError(message: "names a file that others can change: \(fault)")
    }
}

private func errnoText() -> String { String(cString: strerror(errno)) }

extension JWKS {
    /// More than any set of keys needs, and little enough to hold in memory at once.
    static let maximumLength = 256 << 10

    /// Reads the JWKS in the file at `path`.
    static func load(file path: String) throws(KeyLoadError) -> JWKS {
        let bytes = try readFile(path, atMost: maximumLength)
        do throws(JWKSError) {
            return try JWKS(bytes)
        } catch {
            throw KeyLoadError(message: "names a file without a usable JWKS: \(error.text)")
        }
    }

    /// Fetches the JWKS at `url`.
    static func load(url: String, with client: HTTPSClient, stop: StopFlag) throws(KeyLoadError) -> JWKS {
        // Whoever can name an authority can be the address.
        if let caFile = client.caFile { try checkTrust(caFile) }
        let bytes = try client.get(url, atMost: maximumLength, stop: stop)
        do throws(JWKSError) {
            return try JWKS(bytes)
        } catch {
            throw KeyLoadError(message: "the answer is not a usable JWKS: \(error.text)")
        }
    }
}

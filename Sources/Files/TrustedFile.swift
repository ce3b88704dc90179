import Glibc

/// The reason why a file cannot be read, as a predicate of the variable that names it. It quotes nothing of the file.
public struct FileError: Error, Equatable, Sendable {
    public let text: String
}

/// A file that an operator names, and that no other user may change.
public enum TrustedFile {
    /// Reads a whole regular file of at most `limit` bytes.
    ///
    /// - Throws: if it cannot be read, or if other users may change it (``FileTrust``).
    public static func read(_ path: String, atMost limit: Int) throws(FileError) -> [UInt8] {
        try check(path)
        // With O_NONBLOCK, a FIFO at the path does not block the thread until a process writes to it.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw FileError(text: "names a file that cannot be opened: \(errnoText())") }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
            throw FileError(text: "names something that is not a regular file")
        }
        var bytes = [UInt8](repeating: 0, count: limit + 1)
        var length = 0
        while length < bytes.count {
            let count = bytes.withUnsafeMutableBytes {
                Glibc.read(descriptor, $0.baseAddress.map { $0 + length }, $0.count - length)
            }
            if count == -1 && errno == EINTR { continue }
            guard count >= 0 else { throw FileError(text: "names a file that cannot be read: \(errnoText())") }
            guard count > 0 else { return Array(bytes.prefix(length)) }
            length += count
        }
        throw FileError(text: "names a file of more than \(limit) bytes")
    }

    /// Refuses a file that other users may change.
    public static func check(_ path: String) throws(FileError) {
        if let reason = FileTrust().reason(path) {
            throw FileError(text: "names a file that others can change: \(reason)")
        }
    }

    private static func errnoText() -> String { String(cString: strerror(errno)) }
}

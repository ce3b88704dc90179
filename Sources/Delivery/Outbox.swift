import Glibc

/// A directory in which each mail becomes a file, instead of a relay.
struct Outbox: Sendable {
    let directory: String

    /// The file has its name only once it is complete.
    func send(_ mail: Mail) -> MailResult {
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else { return .later(code: nil) }
        let name = directory + "/" + mail.fileName
        let descriptor = open(name + ".part", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { return .later(code: nil) }
        let isWritten = Self.write(mail.content, to: descriptor)
        guard close(descriptor) == 0, isWritten, rename(name + ".part", name) == 0 else {
            unlink(name + ".part")
            return .later(code: nil)
        }
        return .sent
    }

    private static func write(_ bytes: [UInt8], to descriptor: CInt) -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count == -1 && errno == EINTR { continue }
            guard count > 0 else { return false }
            rest = rest.dropFirst(count)
        }
        return true
    }
}

import Glibc

/// A program that runs during the test, connected by its standard input and output.
///
/// Foundation's `Process` starts children with the signal mask of its thread, in which libdispatch blocks
/// SIGTERM, and waits for their end on a run loop.
final class ChildProcess {
    private let program: String
    private let pid: pid_t
    private var input: CInt
    private let output: CInt
    private var isReaped = false

    init(_ program: String, _ arguments: [String]) throws {
        let stdin = try Self.pipe()
        let stdout = try Self.pipe()
        defer {
            close(stdin.read)
            close(stdout.write)
        }
        self.program = program
        input = stdin.write
        output = stdout.read
        pid = try Self.spawn(program, arguments, stdin: stdin.read, stdout: stdout.write)
    }

    deinit {
        kill()
        closeInput()
        close(output)
    }

    /// Writes `text` to the standard input and ends it.
    func finishInput(with text: String) {
        var bytes = Array(text.utf8)[...]
        while !bytes.isEmpty {
            let count = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
            guard count > 0 else { break }
            bytes = bytes.dropFirst(count)
        }
        closeInput()
    }

    /// Reads the standard output up to a line break or its end.
    func readLine() -> String { read { $0 == UInt8(ascii: "\n") } }

    /// Reads the standard output to its end.
    func readAll() -> String { read { _ in false } }

    /// Waits for the end. Throws if the exit status is not 0.
    func wait() throws {
        var status: CInt = 0
        guard waitpid(pid, &status, 0) == pid else { throw ChildError(program: program, status: errno) }
        isReaped = true
        guard status == 0 else { throw ChildError(program: program, status: status) }
    }

    /// Ends the program at once.
    func kill() {
        guard !isReaped else { return }
        Glibc.kill(pid, SIGKILL)
        try? wait()
    }

    private func read(until isEnd: (UInt8) -> Bool) -> String {
        var bytes: [UInt8] = []
        var byte: UInt8 = 0
        while Glibc.read(output, &byte, 1) == 1, !isEnd(byte) { bytes.append(byte) }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func closeInput() {
        guard input >= 0 else { return }
        close(input)
        input = -1
    }

    /// A pair of sockets instead of a pipe, since Glibc's module has no `pipe2`.
    private static func pipe() throws -> (read: CInt, write: CInt) {
        var ends: [CInt] = [-1, -1]
        let type = CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
        guard socketpair(AF_UNIX, type, 0, &ends) == 0 else { throw ChildError(program: "socketpair", status: errno) }
        return (ends[0], ends[1])
    }

    private static func spawn(_ program: String, _ arguments: [String], stdin: CInt, stdout: CInt) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, stdin, STDIN_FILENO)
        posix_spawn_file_actions_adddup2(&actions, stdout, STDOUT_FILENO)
        posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var noSignals = sigset_t()
        sigemptyset(&noSignals)
        posix_spawnattr_setsigmask(&attributes, &noSignals)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGMASK))
        let strings = ([program] + arguments).map { strdup($0) } + [nil]
        defer { for string in strings { free(string) } }
        var pid = pid_t()
        let code = posix_spawn(&pid, program, &actions, &attributes, strings, environ)
        guard code == 0 else { throw ChildError(program: program, status: code) }
        return pid
    }
}

struct ChildError: Error {
    let program: String
    let status: CInt
}

/// Runs a program to its end and returns its output.
@discardableResult
func run(_ program: String, _ arguments: [String], input: String = "") throws -> String {
    let child = try ChildProcess(program, arguments)
    child.finishInput(with: input)
    let output = child.readAll()
    try child.wait()
    return output
}

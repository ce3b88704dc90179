import Glibc
import Testing
import Threads

@testable import FastCGI

@Suite("Sending a response")
struct ResponseRecordsTests {
    private let response = ResponseRecords(requestID: 1, head: [], body: [UInt8](repeating: 1, count: 6 << 20))

    /// A pair of connected sockets.
    private func connection() -> (CInt, CInt) {
        var ends: [CInt] = [-1, -1]
        #expect(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0, &ends) == 0)
        return (ends[0], ends[1])
    }

    @Test("A long response has more time, if the peer reads each mebibyte in time")
    func steady() throws {
        let (sender, receiver) = connection()
        defer { close(sender) }
        let received = Monitor(0)
        let reader = try Thread.start {
            var buffer = [UInt8](repeating: 0, count: 1 << 20)
            while case let count = recv(receiver, &buffer, buffer.count, CInt(MSG_WAITALL)), count > 0 {
                received.withLock { $0 += count }
                // Six of these pauses are longer than the pace, and one is much shorter.
                Thread.sleep(.seconds(2))
            }
            close(receiver)
        }
        #expect(response.send(to: sender, pace: .seconds(8)))
        shutdown(sender, CInt(SHUT_WR))
        reader.join()
        #expect(received.withLock { $0 } > 6 << 20)
    }

    @Test("Sending fails if the peer reads nothing")
    func stalled() {
        let (sender, receiver) = connection()
        defer { for end in [sender, receiver] { _ = close(end) } }
        #expect(!response.send(to: sender, pace: .milliseconds(200)))
    }
}

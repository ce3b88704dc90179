import Foundation
import Testing
import Threads

@testable import Server

@Suite("The thread of the log")
struct LogSinkTests {
    /// A pipe with a log at one end.
    private final class Pipe: Sendable {
        let sink: LogSink
        let reading: CInt
        let writing: CInt

        init() {
            var ends: [CInt] = [-1, -1]
            pipe(&ends)
            (reading, writing) = (ends[0], ends[1])
            sink = LogSink(descriptor: writing)
        }

        /// Reads until `count` bytes have arrived, for at most half a minute.
        func read(_ count: Int) -> String {
            var bytes: [UInt8] = []
            while bytes.count < count {
                var state = pollfd(fd: reading, events: Int16(POLLIN), revents: 0)
                var chunk = [UInt8](repeating: 0, count: 65_536)
                guard poll(&state, 1, 30_000) == 1 else { break }
                let got = Foundation.read(reading, &chunk, chunk.count)
                guard got > 0 else { break }
                bytes += chunk.prefix(got)
            }
            return String(decoding: bytes, as: UTF8.self)
        }

        deinit {
            sink.stop(within: .seconds(1))
            close(reading)
            close(writing)
        }
    }

    private func lines(_ numbers: Range<Int>) -> [String] {
        numbers.map { "\($0) \(String(repeating: "x", count: $0 * 37 % 5000))\n" }
    }

    @Test("Every line is written completely and in order, including those before the start")
    func order() throws {
        let pipe = Pipe()
        let lines = lines(0..<2000)
        for line in lines.prefix(10) { pipe.sink.write(Array(line.utf8)) }
        try pipe.sink.start()
        let reader = Monitor<String?>(nil)
        let whole = lines.joined()
        try Thread.start {
            let text = pipe.read(whole.utf8.count)
            reader.withLock { $0 = text }
            reader.notifyAll()
        }.detach()
        for line in lines.dropFirst(10) {
            pipe.sink.write(Array(line.utf8))
            if line.utf8.count % 64 == 0 { pipe.sink.flush(within: .seconds(30)) }
        }
        let read = reader.wait(until: .now + .seconds(30)) { $0 }
        #expect(read == whole)
        #expect(pipe.sink.lostLines == 0)
    }

    @Test("Lines of several threads are not mixed")
    func threads() throws {
        let log = CapturedLog()
        let writers = try (0..<4).map { number in
            try Thread.start {
                for _ in 0..<50 { log.sink.write(Array((String(repeating: "\(number)", count: 300) + "\n").utf8)) }
            }
        }
        for writer in writers { writer.join() }
        let lines = log.text().split(separator: "\n")
        #expect(lines.count == 200)
        #expect(lines.allSatisfy { $0.utf8.count == 300 && Set($0).count == 1 })
    }

    @Test("With a stuck reader no writer waits, excess lines are lost and counted, and the others are written later")
    func stuckReader() throws {
        let pipe = Pipe()
        try pipe.sink.start()
        let line = [UInt8](repeating: UInt8(ascii: "x"), count: 999) + [UInt8(ascii: "\n")]
        // The pipe buffers 64 KiB, the log 1 MiB.
        for _ in 0..<3000 { pipe.sink.write(line) }
        let lost = pipe.sink.lostLines
        #expect(lost > 0 && lost < 3000)
        #expect(!pipe.sink.flush(within: .milliseconds(10)))
        let received = pipe.read((3000 - lost) * 1000)
        #expect(received.utf8.count == (3000 - lost) * 1000)
        #expect(pipe.sink.flush(within: .seconds(30)))
        pipe.sink.write(Array("again\n".utf8))
        #expect(pipe.read(6) == "again\n")
        #expect(pipe.sink.lostLines == lost)
    }

    @Test("A stop ends in time with a stuck reader")
    func stopStuck() throws {
        let pipe = Pipe()
        try pipe.sink.start()
        for _ in 0..<200 { pipe.sink.write([UInt8](repeating: UInt8(ascii: "\n"), count: 1000)) }
        pipe.sink.stop(within: .milliseconds(10))
    }

    @Test(
        "Without a writable output the log continues, and lost lines are counted",
        arguments: ["/dev/full", "closed", "no reader"])
    func unwritable(what: String) throws {
        let descriptor: CInt
        switch what {
        case "/dev/full": descriptor = open("/dev/full", O_WRONLY | O_CLOEXEC)
        case "closed": descriptor = 1_000_000
        default:
            var ends: [CInt] = [-1, -1]
            pipe(&ends)
            close(ends[0])
            descriptor = ends[1]
        }
        let sink = LogSink(descriptor: descriptor)
        try sink.start()
        for _ in 0..<100 { sink.write(Array("lost\n".utf8)) }
        #expect(sink.flush(within: .seconds(30)))
        #expect(sink.lostLines == 100)
        sink.stop(within: .seconds(30))
        close(descriptor)
    }
}

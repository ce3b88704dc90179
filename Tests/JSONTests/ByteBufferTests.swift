import Glibc
import Testing

@testable import JSON

/// Compares the output of ``ByteBuffer``, which writes many bytes at a time, with bytes written one by one.
@Suite("The byte buffer")
struct ByteBufferTests {
    /// Bytes that need escaping, their neighbours, and bytes that bit operations might confuse with them.
    private static let nasty: [UInt8] = [
        0x00, 0x01, 0x08, 0x09, 0x0A, 0x0D, 0x1F, 0x20, 0x21, 0x22, 0x23, 0x5B, 0x5C, 0x5D, 0x7F, 0x80, 0x9F, 0xA0,
        0xA2, 0xDC, 0xFF,
    ]

    @Test("Every byte, at every place of a text of any length, is escaped like in the plain writer")
    func places() {
        for length in 1...40 {
            for place in 0..<length {
                for byte in Self.nasty {
                    var text = [UInt8](repeating: UInt8(ascii: "x"), count: length)
                    text[place] = byte
                    #expect(Self.written(string: text) == Plain.string(text), "\(byte) at \(place) of \(length)")
                }
            }
        }
        for byte in UInt8.min ... .max { #expect(Self.written(string: [byte]) == Plain.string([byte])) }
    }

    @Test("Random texts of such bytes are escaped like in the plain writer")
    func madeUp() {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<20_000 {
            let share = Int.random(in: 1...20, using: &random)
            let text = (0..<Int.random(in: 0...90, using: &random)).map { _ in
                Int.random(in: 0..<20, using: &random) < share
                    ? UInt8(ascii: "x") : Self.nasty.randomElement(using: &random) ?? 0
            }
            #expect(Self.written(string: text) == Plain.string(text))
        }
    }

    @Test("Values and prepared names of any length are copied, with a comma and without")
    func members() {
        let names: [StaticString] = [
            "", "a", "id", "risk_level_12", "exactly_13_by", "a_name_longer_than_sixteen_bytes", "x",
        ]
        let prepared = MemberNames(names)
        for length in 0...70 {
            let value = (0..<length).map { UInt8(ascii: "0") + UInt8($0 % 10) }
            for (index, name) in names.enumerated() {
                let member = Array("\"\(name)\":".utf8)
                for escaping in [false, true] {
                    let expected = member + (escaping ? Plain.string(value) : value)
                    var writer = JSONWriter(capacity: 1)
                    Self.atEndOfMemory(value) { value in
                        writer.member(index, of: prepared, value, escaping: escaping)
                        writer.member(index, of: prepared, value, escaping: escaping)
                    }
                    #expect(writer.bytes == expected + [UInt8(ascii: ",")] + expected)
                }
            }
        }
    }

    @Test("The digits of any number are written")
    func numbers() {
        var random = SystemRandomNumberGenerator()
        let some = (0..<1000).map { _ in Int.random(in: .min ... .max, using: &random) >> Int.random(in: 0..<64) }
        for number in [0, 1, -1, 9, 10, -10, 99, 100, .min, .max] + some {
            var buffer = ByteBuffer(capacity: 1)
            buffer.append(comma: false, number: number)
            buffer.append(comma: true, number: number)
            #expect(String(decoding: buffer.bytes, as: UTF8.self) == "\(number),\(number)")
        }
    }

    @Test("The buffer keeps its content when it grows")
    func growth() {
        var buffer = ByteBuffer(capacity: 1)
        var expected: [UInt8] = []
        for length in 0...300 {
            let text = [UInt8](repeating: Self.nasty[length % Self.nasty.count], count: length)
            text.withUnsafeBytes { buffer.append(comma: length % 2 == 0, string: $0) }
            buffer.append(UInt8(ascii: "|"))
            expected += (length % 2 == 0 ? [UInt8(ascii: ",")] : []) + Plain.string(text) + [UInt8(ascii: "|")]
        }
        #expect(buffer.count == expected.count)
        #expect(buffer.bytes == expected)
    }

    private static func written(string text: [UInt8]) -> [UInt8] {
        var buffer = ByteBuffer(capacity: 1)
        atEndOfMemory(text) { buffer.append(comma: false, string: $0) }
        return buffer.bytes
    }

    /// Runs `body` with a copy before a page without access, so that a read beyond its end crashes the test.
    private static func atEndOfMemory(_ bytes: [UInt8], _ body: (UnsafeRawBufferPointer) -> Void) {
        let page = Int(sysconf(CInt(_SC_PAGESIZE)))
        let pages = mmap(nil, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
        guard let pages, pages != MAP_FAILED, mprotect(pages + page, page, PROT_NONE) == 0 else {
            Issue.record("no memory with a limit")
            return
        }
        defer { munmap(pages, 2 * page) }
        let start = pages + (page - bytes.count)
        start.copyMemory(from: bytes, byteCount: bytes.count)
        body(UnsafeRawBufferPointer(start: start, count: bytes.count))
    }
}

/// Escapes byte by byte, as RFC 8259 section 7 requires.
private enum Plain {
    static func string(_ text: [UInt8]) -> [UInt8] {
        Array("\"".utf8) + text.flatMap(escaped) + Array("\"".utf8)
    }

    private static func escaped(_ byte: UInt8) -> [UInt8] {
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"): [UInt8(ascii: "\\"), byte]
        case UInt8(ascii: "\n"): Array("\\n".utf8)
        case UInt8(ascii: "\r"): Array("\\r".utf8)
        case UInt8(ascii: "\t"): Array("\\t".utf8)
        case 0..<0x10: Array("\\u000\(String(byte, radix: 16))".utf8)
        case 0x10..<0x20: Array("\\u00\(String(byte, radix: 16))".utf8)
        default: [byte]
        }
    }
}

/// Writes one JSON text as bytes, without a model in between.
///
/// The caller is responsible for balanced calls; the nesting functions take closures so that they are.
///
/// Each value is copied in one piece into room that was made before: byte after byte, an array would check its
/// room and its owner again for each of the 72,000 of a long list.
public struct JSONWriter {
    /// What has been written, and behind it room for more.
    private var storage: [UInt8]
    /// How many bytes have been written.
    public private(set) var count = 0
    private var needsComma = false

    public init(capacity: Int = 1024) { storage = [UInt8](repeating: 0, count: max(64, capacity)) }

    /// What has been written.
    public var bytes: [UInt8] { Array(storage[..<count]) }

    /// Writes `{…}` around what `body` writes.
    public mutating func object<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginObject()
        try body(&self)
        endObject()
    }

    /// Writes `[…]` around what `body` writes.
    public mutating func array<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        open(UInt8(ascii: "["))
        try body(&self)
        close(UInt8(ascii: "]"))
    }

    /// For whoever cannot write what is inside in one closure.
    public mutating func beginObject() { open(UInt8(ascii: "{")) }

    public mutating func endObject() { close(UInt8(ascii: "}")) }

    /// Writes `"name":`, which has to be followed by a value; a name is ASCII without anything to escape.
    public mutating func name(_ name: StaticString) {
        name.withUTF8Buffer { quoted(UnsafeRawBufferPointer($0), andThen: UInt8(ascii: ":")) }
        needsComma = false
    }

    /// Writes a name that is known only at run time.
    public mutating func name(escaping name: String) {
        string(name)
        write(atMost: 1) { $0.add(UInt8(ascii: ":")) }
        needsComma = false
    }

    public mutating func null() { raw("null") }

    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    public mutating func number(_ value: Int) { raw(String(value)) }

    public mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { string(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// Writes a string whose bytes are known to be UTF-8, escaping what RFC 8259 section 7 requires.
    public mutating func string(utf8 buffer: UnsafeRawBufferPointer) {
        if Self.needsEscaping(buffer) { escaped(buffer) } else { quoted(buffer, andThen: nil) }
        needsComma = true
    }

    /// Writes bytes that are a JSON value already, such as a number from the database.
    public mutating func raw(_ value: UnsafeRawBufferPointer) {
        let comma = needsComma
        write(atMost: value.count + 1) { room in
            if comma { room.add(UInt8(ascii: ",")) }
            room.add(value)
        }
        needsComma = true
    }

    public mutating func raw(_ value: String) {
        var value = value
        value.withUTF8 { raw(UnsafeRawBufferPointer($0)) }
    }

    private mutating func open(_ bracket: UInt8) {
        let comma = needsComma
        write(atMost: 2) { room in
            if comma { room.add(UInt8(ascii: ",")) }
            room.add(bracket)
        }
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        write(atMost: 1) { $0.add(bracket) }
        needsComma = true
    }

    private mutating func quoted(_ value: UnsafeRawBufferPointer, andThen last: UInt8?) {
        let comma = needsComma
        write(atMost: value.count + 4) { room in
            if comma { room.add(UInt8(ascii: ",")) }
            room.add(UInt8(ascii: "\""))
            room.add(value)
            room.add(UInt8(ascii: "\""))
            if let last { room.add(last) }
        }
    }

    private mutating func escaped(_ value: UnsafeRawBufferPointer) {
        let comma = needsComma
        write(atMost: 6 * value.count + 3) { room in
            if comma { room.add(UInt8(ascii: ",")) }
            room.add(UInt8(ascii: "\""))
            for byte in value {
                if Self.isEscaped(byte) { room.add(escaped: byte) } else { room.add(byte) }
            }
            room.add(UInt8(ascii: "\""))
        }
    }

    private static func isEscaped(_ byte: UInt8) -> Bool { byte < 0x20 || byte == 0x22 || byte == 0x5C }

    /// Looks at all bytes without a branch, so that the compiler takes many at once.
    private static func needsEscaping(_ buffer: UnsafeRawBufferPointer) -> Bool {
        var found: UInt8 = 0
        for byte in buffer { found |= (byte < 0x20 ? 1 : 0) | (byte == 0x22 ? 1 : 0) | (byte == 0x5C ? 1 : 0) }
        return found != 0
    }

    /// Makes room for so many bytes and has `body` write them there.
    private mutating func write(atMost room: Int, _ body: (inout Room) -> Void) {
        if storage.count - count < room {
            storage.append(contentsOf: repeatElement(0, count: max(room, storage.count)))
        }
        let start = count
        count = storage.withUnsafeMutableBytes { storage in
            var room = Room(bytes: storage, count: start)
            body(&room)
            return room.count
        }
    }
}

/// Where the next bytes go.
private struct Room {
    let bytes: UnsafeMutableRawBufferPointer
    var count: Int

    mutating func add(_ byte: UInt8) {
        bytes[count] = byte
        count += 1
    }

    mutating func add(_ value: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: bytes[count..<count + value.count]).copyMemory(from: value)
        count += value.count
    }

    mutating func add(escaped byte: UInt8) {
        add(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: add(byte)
        case 0x0A: add(UInt8(ascii: "n"))
        case 0x0D: add(UInt8(ascii: "r"))
        case 0x09: add(UInt8(ascii: "t"))
        default:
            for digit in [UInt8(ascii: "u"), UInt8(ascii: "0"), UInt8(ascii: "0")] { add(digit) }
            for digit in [byte >> 4, byte & 15] {
                add(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
            }
        }
    }
}

extension JSONWriter {
    public mutating func member(_ name: StaticString, string: String?) {
        self.name(name)
        if let string { self.string(string) } else { null() }
    }

    public mutating func member(_ name: StaticString, number: Int) {
        self.name(name)
        self.number(number)
    }

    public mutating func member(_ name: StaticString, bool: Bool) {
        self.name(name)
        self.bool(bool)
    }

    public mutating func member<Failure: Error>(
        _ name: StaticString, object body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.name(name)
        try object(body)
    }

    public mutating func member<Failure: Error>(
        _ name: StaticString, array body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.name(name)
        try array(body)
    }
}

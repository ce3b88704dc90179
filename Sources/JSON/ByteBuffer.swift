/// Bytes that are written one after the other, through a pointer.
///
/// Why not an array: a list of 200 patients is 3,600 names and values, and an array asks for each of them who owns it
/// and what room it has, and copies through calls that cost more than the few bytes. Here a value costs one comparison
/// for its room and then its bytes, eight at a time. This file is the only one that writes so.
///
/// What makes it safe: ``reserve(_:)`` comes before every write and is told the most that the write can take, only
/// bytes below `count` are ever read, and a value of this type has one owner, who frees the memory.
/// `ByteBufferTests` compares what it writes with what the plain way does, byte after byte.
public struct ByteBuffer: ~Copyable {
    private var start: UnsafeMutableRawPointer
    private var capacity: Int
    /// How many bytes have been written.
    public private(set) var count = 0

    /// - Parameter capacity: how many bytes there is room for at first.
    public init(capacity: Int) {
        self.capacity = max(64, capacity)
        start = .allocate(byteCount: self.capacity, alignment: 1)
    }

    deinit { start.deallocate() }

    /// A copy of what has been written.
    public var bytes: [UInt8] { Array(UnsafeRawBufferPointer(start: start, count: count)) }

    /// What has been written, as text.
    public var text: String { String(decoding: UnsafeRawBufferPointer(start: start, count: count), as: UTF8.self) }

    /// Appends a byte.
    public mutating func append(_ byte: UInt8) {
        reserve(1)
        put(byte)
    }

    /// Appends bytes as they are.
    public mutating func append(_ value: UnsafeRawBufferPointer) { append(comma: false, value) }

    /// Appends a text's bytes as they are.
    public mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    /// Appends a text's bytes as they are.
    public mutating func append(text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    /// Appends a number's digits.
    public mutating func append(number: Int) { append(comma: false, number: number) }

    /// Appends a comma, where one is asked for, and `byte`.
    mutating func append(comma: Bool, _ byte: UInt8) {
        reserve(2)
        if comma { put(UInt8(ascii: ",")) }
        put(byte)
    }

    /// Appends a comma, where one is asked for, and `value`.
    mutating func append(comma: Bool, _ value: UnsafeRawBufferPointer) {
        reserve(value.count + 1)
        if comma { put(UInt8(ascii: ",")) }
        put(value)
    }

    /// Appends a comma, where one is asked for, and `"value":`; nothing in it may need escaping.
    mutating func append(comma: Bool, name value: UnsafeRawBufferPointer) {
        reserve(value.count + 4)
        if comma { put(UInt8(ascii: ",")) }
        put(UInt8(ascii: "\""))
        put(value)
        put(UInt8(ascii: "\""))
        put(UInt8(ascii: ":"))
    }

    /// Appends a comma, where one is asked for, and `"name":value`.
    ///
    /// - Parameter escaping: whether the value is text, and otherwise JSON already.
    mutating func append(
        comma: Bool, name: PreparedName, in names: UnsafeRawBufferPointer, value: UnsafeRawBufferPointer, escaping: Bool
    ) {
        guard let start = names.baseAddress else { return }
        reserve(name.count + PreparedName.padding + 6 * value.count + 2)
        let skipped = comma ? 0 : 1
        putPadded(start + (name.offset + skipped), name.count - skipped)
        if escaping { put(string: value) } else { put(value) }
    }

    /// Appends a comma, where one is asked for, and `"value"`, escaping what RFC 8259 section 7 requires.
    mutating func append(comma: Bool, string value: UnsafeRawBufferPointer) {
        reserve(6 * value.count + 3)
        if comma { put(UInt8(ascii: ",")) }
        put(string: value)
    }

    /// Appends a comma, where one is asked for, and the number's digits.
    mutating func append(comma: Bool, number: Int) {
        reserve(21)
        if comma { put(UInt8(ascii: ",")) }
        if number < 0 { put(UInt8(ascii: "-")) }
        let first = count
        var rest = number.magnitude
        repeat {
            put(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: rest % 10))
            rest /= 10
        } while rest > 0
        // The last digit came first.
        var digits = UnsafeMutableRawBufferPointer(start: start + first, count: count - first)
        digits.reverse()
    }

    // MARK: Into room that has been reserved

    /// Makes room for so many bytes.
    private mutating func reserve(_ room: Int) {
        if capacity - count < room { grow(room) }
    }

    @inline(never)
    private mutating func grow(_ room: Int) {
        capacity = max(count + room, 2 * capacity)
        let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity, alignment: 1)
        larger.copyMemory(from: start, byteCount: count)
        start.deallocate()
        start = larger
    }

    private mutating func put(_ byte: UInt8) {
        start.storeBytes(of: byte, toByteOffset: count, as: UInt8.self)
        count += 1
    }

    @inline(__always)
    private mutating func put(_ value: UnsafeRawBufferPointer) {
        guard let source = value.baseAddress else { return }
        switch value.count {
        // Most are so short that the call would cost more than the copy.
        case 32...: (start + count).copyMemory(from: source, byteCount: value.count)
        case 8...: putWords(of: UInt64.self, source, value.count)
        case 4...: putWords(of: UInt32.self, source, value.count)
        default: putWords(of: UInt8.self, source, value.count)
        }
        count &+= value.count
    }

    @inline(__always)
    private mutating func put(string value: UnsafeRawBufferPointer) {
        put(UInt8(ascii: "\""))
        let plain = putPlain(value)
        if plain < value.count { put(escaping: UnsafeRawBufferPointer(rebasing: value[plain...])) }
        put(UInt8(ascii: "\""))
    }

    /// Writes what is left of a text, of whose first eight bytes one has to be escaped.
    @inline(never)
    private mutating func put(escaping value: UnsafeRawBufferPointer) {
        var rest = value
        while !rest.isEmpty {
            for byte in rest.prefix(8) {
                if Self.needsEscaping(byte) { put(escaped: byte) } else { put(byte) }
            }
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(8))
            rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(putPlain(rest)))
        }
    }

    /// Copies in steps of 16 bytes, the last of which may go beyond what was asked for, on both sides.
    @inline(__always)
    private mutating func putPadded(_ source: UnsafeRawPointer, _ size: Int) {
        let target = start + count
        var position = 0
        repeat {
            let piece = source.loadUnaligned(fromByteOffset: position, as: SIMD16<UInt8>.self)
            target.storeBytes(of: piece, toByteOffset: position, as: SIMD16<UInt8>.self)
            position &+= 16
        } while position < size
        count &+= size
    }

    @inline(__always)
    private func putWords<Word: Piece>(of _: Word.Type, _ source: UnsafeRawPointer, _ size: Int) {
        _ = copyWords(of: Word.self, source, size) { _ in true }
    }

    /// Copies the bytes before the first word in which one has to be escaped, and returns how many those are.
    @inline(__always)
    private mutating func putPlain(_ value: UnsafeRawBufferPointer) -> Int {
        guard let source = value.baseAddress else { return 0 }
        let copied =
            switch value.count {
            case 8...: copyWords(of: UInt64.self, source, value.count) { !Self.needsEscaping($0) }
            case 4...: copyWords(of: UInt32.self, source, value.count) { !Self.needsEscaping($0) }
            default: copyWords(of: UInt8.self, source, value.count) { !Self.needsEscaping($0) }
            }
        count &+= copied
        return copied
    }

    private typealias Piece = FixedWidthInteger & UnsignedInteger & BitwiseCopyable

    /// Copies word by word for as long as `goesOn` says so, and returns how many bytes that makes.
    ///
    /// What is left at the end is less than a word: the last one begins among the bytes of the one before. So the
    /// value may not be shorter than a word.
    @inline(__always)
    private func copyWords<Word: Piece>(
        of _: Word.Type, _ source: UnsafeRawPointer, _ size: Int, while goesOn: (Word) -> Bool
    ) -> Int {
        let (target, last) = (start + count, size &- MemoryLayout<Word>.size)
        var position = 0
        while position <= last {
            let word = source.loadUnaligned(fromByteOffset: position, as: Word.self)
            guard goesOn(word) else { return position }
            target.storeBytes(of: word, toByteOffset: position, as: Word.self)
            position &+= MemoryLayout<Word>.size
        }
        guard position < size else { return size }
        let word = source.loadUnaligned(fromByteOffset: last, as: Word.self)
        guard goesOn(word) else { return position }
        target.storeBytes(of: word, toByteOffset: last, as: Word.self)
        return size
    }

    /// Whether a byte of the word is a control character, a quotation mark or a backslash.
    ///
    /// Subtracting sets the highest bit of a byte that is smaller; of one that had it before, the complement takes it
    /// away. What a byte borrows from the next cannot mislead: only a byte that is smaller borrows.
    @inline(__always)
    private static func needsEscaping<Word: Piece>(_ word: Word) -> Bool {
        let ones = Word(truncatingIfNeeded: 0x0101_0101_0101_0101 as UInt64)
        let quotes = word ^ (ones &* 0x22)
        let backslashes = word ^ (ones &* 0x5C)
        let found =
            ((word &- ones &* 0x20) & ~word) | ((quotes &- ones) & ~quotes) | ((backslashes &- ones) & ~backslashes)
        return found & (ones &* 0x80) != 0
    }

    private mutating func put(escaped byte: UInt8) {
        put(UInt8(ascii: "\\"))
        switch byte {
        case 0x22, 0x5C: put(byte)
        case 0x0A: put(UInt8(ascii: "n"))
        case 0x0D: put(UInt8(ascii: "r"))
        case 0x09: put(UInt8(ascii: "t"))
        default:
            put(UInt8(ascii: "u"))
            put(UInt8(ascii: "0"))
            put(UInt8(ascii: "0"))
            put(hexDigit: byte >> 4)
            put(hexDigit: byte & 15)
        }
    }

    private mutating func put(hexDigit digit: UInt8) {
        put(digit < 10 ? UInt8(ascii: "0") + digit : UInt8(ascii: "a") + digit - 10)
    }
}

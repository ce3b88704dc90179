/// Writes one JSON text as bytes, without a model of it in memory.
///
/// The functions for objects and arrays take closures, so that brackets are balanced. These functions are inlinable, so
/// that the compiler specializes them for the type of the closure's error.
public struct JSONWriter: ~Copyable {
    private var buffer: ByteBuffer
    private var needsComma = false

    public init(capacity: Int = 1024) { buffer = ByteBuffer(capacity: capacity) }

    /// The text so far.
    public var bytes: [UInt8] { buffer.bytes }

    /// The number of bytes so far.
    public var count: Int { buffer.count }

    /// Writes an object with the members that `body` writes.
    @inlinable
    public mutating func object<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginObject()
        try body(&self)
        endObject()
    }

    /// Writes an array with the elements that `body` writes.
    @inlinable
    public mutating func array<Failure: Error>(
        _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        beginArray()
        try body(&self)
        endArray()
    }

    /// Begins an object that one closure cannot write. ``endObject()`` ends it.
    public mutating func beginObject() { open(UInt8(ascii: "{")) }

    public mutating func endObject() { close(UInt8(ascii: "}")) }

    @usableFromInline
    mutating func beginArray() { open(UInt8(ascii: "[")) }

    @usableFromInline
    mutating func endArray() { close(UInt8(ascii: "]")) }

    /// Writes `"name":`. A value must follow. The name must be ASCII that needs no escaping.
    public mutating func name(_ name: StaticString) {
        buffer.append(
            comma: needsComma, name: UnsafeRawBufferPointer(start: name.utf8Start, count: name.utf8CodeUnitCount))
        needsComma = false
    }

    /// Writes a name that may need escaping.
    public mutating func name(escaping name: String) {
        string(name)
        buffer.append(UInt8(ascii: ":"))
        needsComma = false
    }

    /// Writes a prepared name and its value.
    ///
    /// - Parameter escaping: true for text, false for a value that is already JSON.
    public mutating func member(
        _ index: Int, of names: MemberNames, _ value: UnsafeRawBufferPointer, escaping: Bool
    ) {
        let (comma, name) = (needsComma, names.names[index])
        names.bytes.withUnsafeBytes {
            buffer.append(comma: comma, name: name, in: $0, value: value, escaping: escaping)
        }
        needsComma = true
    }

    public mutating func null() { raw("null") }

    public mutating func bool(_ value: Bool) { raw(value ? "true" : "false") }

    public mutating func number(_ value: Int) {
        buffer.append(comma: needsComma, number: value)
        needsComma = true
    }

    public mutating func string(_ value: String) {
        var value = value
        value.withUTF8 { string(utf8: UnsafeRawBufferPointer($0)) }
    }

    /// Writes a string, escaped as RFC 8259 section 7 requires. Its bytes must be UTF-8.
    public mutating func string(utf8 value: UnsafeRawBufferPointer) {
        buffer.append(comma: needsComma, string: value)
        needsComma = true
    }

    /// Writes a value that is already JSON, such as a number from the database.
    public mutating func raw(_ value: UnsafeRawBufferPointer) {
        buffer.append(comma: needsComma, value)
        needsComma = true
    }

    public mutating func raw(_ value: String) {
        var value = value
        value.withUTF8 { raw(UnsafeRawBufferPointer($0)) }
    }

    private mutating func open(_ bracket: UInt8) {
        buffer.append(comma: needsComma, bracket)
        needsComma = false
    }

    private mutating func close(_ bracket: UInt8) {
        buffer.append(bracket)
        needsComma = true
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

    @inlinable
    public mutating func object<Failure: Error>(
        _ name: StaticString, _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.name(name)
        try object(body)
    }

    @inlinable
    public mutating func array<Failure: Error>(
        _ name: StaticString, _ body: (inout JSONWriter) throws(Failure) -> Void
    ) throws(Failure) {
        self.name(name)
        try array(body)
    }
}

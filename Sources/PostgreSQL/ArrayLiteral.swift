/// A PostgreSQL array of texts under construction, in text format (PostgreSQL documentation, section 8.15.2).
///
///     var ids = ArrayLiteral()
///     ids.append("p1")
///     ids.append("two words")
///     ids.appendNull()
///     ids.text  // {p1,"two words",NULL}
public struct ArrayLiteral: Sendable {
    /// `{…}` without the closing brace.
    private var open = [UInt8(ascii: "{")]
    /// The number of elements.
    public private(set) var count = 0

    /// - Parameter capacity: the expected number of bytes.
    public init(capacity: Int = 0) { open.reserveCapacity(capacity) }

    /// The array's text.
    public var bytes: [UInt8] { open + [UInt8(ascii: "}")] }

    /// The array's text.
    public var text: String { String(decoding: bytes, as: UTF8.self) }

    /// The number of bytes so far.
    public var size: Int { open.count }

    /// Appends an element. Nil is NULL.
    public mutating func append(_ element: String?) {
        guard var element else { return appendNull() }
        element.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    public mutating func appendNull() {
        separate()
        open.append(contentsOf: "NULL".utf8)
    }

    /// Appends an element in UTF-8.
    public mutating func append(_ element: UnsafeRawBufferPointer) {
        separate()
        guard Self.needsQuotes(element) else { return open.append(contentsOf: element) }
        open.append(UInt8(ascii: "\""))
        for byte in element {
            if byte == UInt8(ascii: "\"") || byte == UInt8(ascii: "\\") { open.append(UInt8(ascii: "\\")) }
            open.append(byte)
        }
        open.append(UInt8(ascii: "\""))
    }

    private mutating func separate() {
        if count > 0 { open.append(UInt8(ascii: ",")) }
        count += 1
    }

    /// True unless the element is a plain word of ASCII letters, digits, `_`, `-` and `.`, other than NULL.
    private static func needsQuotes(_ element: UnsafeRawBufferPointer) -> Bool {
        let isPlain = element.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"), UInt8(ascii: "-"), UInt8(ascii: "."):
                true
            default: false
            }
        }
        return !isPlain || element.isEmpty || element.count == 4 && element.map { $0 | 0x20 }.elementsEqual("null".utf8)
    }
}

extension ArrayLiteral {
    /// The text of an array of these elements.
    public static func text(of elements: some Sequence<String>) -> String {
        var literal = ArrayLiteral()
        for element in elements { literal.append(element) }
        return literal.text
    }
}

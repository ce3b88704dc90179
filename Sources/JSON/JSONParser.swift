import Text

// Foundation's decoders are not used. They do not report repeated names, and they do not distinguish a lone surrogate
// (422, docs/definitions.md section 5) from a text that is not JSON (400). A token's header also has to be parsed
// strictly.

extension JSONValue {
    /// The deepest nesting of arrays and objects, limited so that no input can exhaust a worker's stack.
    public static let maximumDepth = 64

    /// Parses one JSON text strictly (RFC 8259): without a byte order mark, a trailing comma or text after it.
    public static func parse(_ bytes: [UInt8]) throws(JSONError) -> JSONValue {
        guard String(utf8: bytes) != nil else { throw .notUTF8 }
        var parser = JSONParser(bytes: bytes)
        return try parser.text()
    }
}

private struct JSONParser {
    let bytes: [UInt8]
    var position = 0
    var depth = 0

    init(bytes: [UInt8]) { self.bytes = bytes }

    var current: UInt8? { position < bytes.count ? bytes[position] : nil }
    var syntaxError: JSONError { .syntax(offset: position) }

    mutating func text() throws(JSONError) -> JSONValue {
        skipWhitespace()
        let value = try value()
        skipWhitespace()
        guard position == bytes.count else { throw syntaxError }
        return value
    }

    mutating func skipWhitespace() {
        while let byte = current, byte == 0x20 || byte == 0x0A || byte == 0x0D || byte == 0x09 { position += 1 }
    }

    mutating func expect(_ byte: UInt8) throws(JSONError) {
        guard current == byte else { throw syntaxError }
        position += 1
    }

    mutating func accept(_ byte: UInt8) -> Bool {
        guard current == byte else { return false }
        position += 1
        return true
    }

    mutating func value() throws(JSONError) -> JSONValue {
        switch current {
        case UInt8(ascii: "{"): return try nested { (p) throws(JSONError) in try p.object() }
        case UInt8(ascii: "["): return try nested { (p) throws(JSONError) in try p.array() }
        case UInt8(ascii: "\""): return .string(try string())
        case UInt8(ascii: "t"): return try literal("true", .bool(true))
        case UInt8(ascii: "f"): return try literal("false", .bool(false))
        case UInt8(ascii: "n"): return try literal("null", .null)
        default: return try number()
        }
    }

    mutating func nested(
        _ body: (inout JSONParser) throws(JSONError) -> JSONValue
    ) throws(JSONError) -> JSONValue {
        guard depth < JSONValue.maximumDepth else { throw .tooDeep }
        depth += 1
        defer { depth -= 1 }
        position += 1
        skipWhitespace()
        return try body(&self)
    }

    mutating func object() throws(JSONError) -> JSONValue {
        var members: [JSONObject.Member] = []
        if accept(UInt8(ascii: "}")) { return .object(JSONObject(members: [])) }
        repeat {
            skipWhitespace()
            let name = try string()
            skipWhitespace()
            try expect(UInt8(ascii: ":"))
            skipWhitespace()
            members.append(.init(name: name, value: try value()))
            skipWhitespace()
        } while accept(UInt8(ascii: ","))
        try expect(UInt8(ascii: "}"))
        return .object(JSONObject(members: members))
    }

    mutating func array() throws(JSONError) -> JSONValue {
        var elements: [JSONValue] = []
        if accept(UInt8(ascii: "]")) { return .array([]) }
        repeat {
            skipWhitespace()
            elements.append(try value())
            skipWhitespace()
        } while accept(UInt8(ascii: ","))
        try expect(UInt8(ascii: "]"))
        return .array(elements)
    }

    mutating func literal(_ word: StaticString, _ value: JSONValue) throws(JSONError) -> JSONValue {
        for index in 0..<word.utf8CodeUnitCount { try expect(word.utf8Start[index]) }
        return value
    }

    mutating func number() throws(JSONError) -> JSONValue {
        let start = position
        _ = accept(UInt8(ascii: "-"))
        if !accept(UInt8(ascii: "0")) { try digits() }
        if accept(UInt8(ascii: ".")) { try digits() }
        if accept(UInt8(ascii: "e")) || accept(UInt8(ascii: "E")) {
            if !accept(UInt8(ascii: "+")) { _ = accept(UInt8(ascii: "-")) }
            try digits()
        }
        return .number(String(decoding: bytes[start..<position], as: UTF8.self))
    }

    mutating func digits() throws(JSONError) {
        let start = position
        while let byte = current, byte >= UInt8(ascii: "0"), byte <= UInt8(ascii: "9") { position += 1 }
        guard position > start else { throw syntaxError }
    }

    mutating func string() throws(JSONError) -> JSONString {
        try expect(UInt8(ascii: "\""))
        var utf8: [UInt8] = []
        var hasLoneSurrogate = false
        while let byte = current, byte != UInt8(ascii: "\"") {
            guard byte >= 0x20 else { throw syntaxError }
            position += 1
            guard byte == UInt8(ascii: "\\") else {
                utf8.append(byte)
                continue
            }
            if let scalar = try escape() {
                utf8.append(contentsOf: String(Character(scalar)).utf8)
            } else {
                hasLoneSurrogate = true
                utf8.append(contentsOf: [0xEF, 0xBF, 0xBD])
            }
        }
        try expect(UInt8(ascii: "\""))
        return JSONString(
            scalars: String(decoding: utf8, as: UTF8.self), hasLoneSurrogate: hasLoneSurrogate,
            hasNUL: utf8.contains(0))
    }

    /// The scalar of an escape. Nil for a lone surrogate.
    mutating func escape() throws(JSONError) -> Unicode.Scalar? {
        guard let byte = current else { throw syntaxError }
        position += 1
        switch byte {
        case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
        case UInt8(ascii: "b"): return "\u{8}"
        case UInt8(ascii: "f"): return "\u{C}"
        case UInt8(ascii: "n"): return "\n"
        case UInt8(ascii: "r"): return "\r"
        case UInt8(ascii: "t"): return "\t"
        case UInt8(ascii: "u"): return try unicodeEscape()
        default:
            position -= 1
            throw syntaxError
        }
    }

    mutating func unicodeEscape() throws(JSONError) -> Unicode.Scalar? {
        let unit = try fourHexDigits()
        guard (0xD800...0xDFFF).contains(unit) else { return Unicode.Scalar(unit) }
        guard unit < 0xDC00, current == UInt8(ascii: "\\"), position + 1 < bytes.count,
            bytes[position + 1] == UInt8(ascii: "u")
        else { return nil }
        let beforeSecond = position
        position += 2
        let second = try fourHexDigits()
        guard (0xDC00...0xDFFF).contains(second) else {
            position = beforeSecond  // The second escape is parsed as a scalar of its own.
            return nil
        }
        return Unicode.Scalar(0x10000 + (unit - 0xD800) << 10 + (second - 0xDC00))
    }

    mutating func fourHexDigits() throws(JSONError) -> UInt32 {
        var value: UInt32 = 0
        for _ in 0..<4 {
            guard let byte = current, let digit = Hexadecimal.value(byte) else { throw syntaxError }
            value = value << 4 | UInt32(digit)
            position += 1
        }
        return value
    }
}

/// A JSON value as RFC 8259 defines it.
///
/// An object has its members in order, including repeated names. A number keeps its spelling. A string records whether
/// it contains a lone surrogate, which is not text.
public indirect enum JSONValue: Sendable, Equatable {
    case null
    case bool(Bool)
    /// The number exactly as it was spelled.
    case number(String)
    case string(JSONString)
    case array([JSONValue])
    case object(JSONObject)

    /// The members if this is an object.
    public var object: JSONObject? {
        if case .object(let object) = self { object } else { nil }
    }

    /// The elements if this is an array.
    public var array: [JSONValue]? {
        if case .array(let elements) = self { elements } else { nil }
    }

    /// The text if this is a string of Unicode scalar values without U+0000.
    public var text: String? {
        if case .string(let string) = self { string.text } else { nil }
    }

    /// The value if this is a number and finite as a `Double`.
    public var double: Double? {
        guard case .number(let literal) = self, let value = Double(literal), value.isFinite else { return nil }
        return value
    }

    /// True if this is `null`.
    public var isNull: Bool { self == .null }
}

/// A JSON string with its escapes resolved.
public struct JSONString: Sendable, Equatable {
    /// The characters, with U+FFFD for each lone surrogate.
    let scalars: String
    /// True if the string contains a lone surrogate: an escape `\uD800`–`\uDFFF` without its other half.
    public let hasLoneSurrogate: Bool
    /// True if the string contains U+0000, which PostgreSQL's `text` cannot store.
    public let hasNUL: Bool

    /// The text. Nil if it contains a lone surrogate or U+0000.
    public var text: String? { hasLoneSurrogate || hasNUL ? nil : scalars }

    public static func == (a: Self, b: Self) -> Bool {
        a.hasLoneSurrogate == b.hasLoneSurrogate && a.scalars.utf8.elementsEqual(b.scalars.utf8)
    }
}

/// The members of a JSON object in order, including repeated names.
public struct JSONObject: Sendable, Equatable {
    /// One member, `"name": value`.
    public struct Member: Sendable, Equatable {
        public let name: JSONString
        public let value: JSONValue
    }

    public let members: [Member]

    /// All values with this name, which is compared byte by byte.
    public func values(of name: String) -> [JSONValue] {
        members.filter { $0.name.text?.utf8.elementsEqual(name.utf8) ?? false }.map(\.value)
    }

    /// The first value with this name.
    public subscript(name: String) -> JSONValue? {
        members.first { $0.name.text?.utf8.elementsEqual(name.utf8) ?? false }?.value
    }

    /// True if a name occurs twice.
    public var hasDuplicateNames: Bool {
        var seen: Set<[UInt8]> = []
        return members.contains { !seen.insert(Array($0.name.scalars.utf8)).inserted }
    }
}

/// The reason why a text is not JSON.
public enum JSONError: Error, Equatable, Sendable {
    case notUTF8
    /// The offset of the first wrong byte, counted from 0.
    case syntax(offset: Int)
    /// Nested deeper than ``JSONValue/maximumDepth``.
    case tooDeep
}

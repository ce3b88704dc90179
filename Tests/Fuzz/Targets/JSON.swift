@testable import JSON

/// The parser: an accepted value is written and parsed again, and must be equal.
@Sendable func fuzzJSON(_ input: [UInt8]) {
    guard let value = try? JSONValue.parse(input) else { return }
    var writer = JSONWriter()
    guard writer.write(value) else { return }
    precondition((try? JSONValue.parse(writer.bytes)) == value, "the written value is parsed as another value")
}

extension JSONWriter {
    /// Writes any value. False if a string has a lone surrogate, which the writer cannot encode.
    fileprivate mutating func write(_ value: JSONValue) -> Bool {
        switch value {
        case .null: null()
        case .bool(let flag): bool(flag)
        case .number(let literal): raw(literal)
        case .string(let string):
            guard !string.hasLoneSurrogate else { return false }
            self.string(string.scalars)
        case .array(let elements):
            var isWhole = true
            array { writer in for element in elements where isWhole { isWhole = writer.write(element) } }
            return isWhole
        case .object(let object): return write(object)
        }
        return true
    }

    private mutating func write(_ object: JSONObject) -> Bool {
        var isWhole = true
        self.object { writer in
            for member in object.members where isWhole {
                isWhole = !member.name.hasLoneSurrogate
                writer.name(escaping: member.name.scalars)
                isWhole = writer.write(member.value) && isWhole
            }
        }
        return isWhole
    }
}

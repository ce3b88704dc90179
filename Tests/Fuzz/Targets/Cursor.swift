import JSON

@testable import API

/// A cursor, as raw text and Base64-encoded. The server writes each accepted cursor identically.
@Sendable func fuzzCursor(_ input: [UInt8]) {
    for text in [String(decoding: input, as: UTF8.self), Base64URL.encode(input)] {
        guard let cursor = Cursor(text) else { continue }
        precondition(cursor.encoded == text && Cursor(cursor.encoded) == cursor)
        switch cursor.place {
        case .rank(let priority, let score, let days, let id):
            precondition((1...4).contains(priority) && (0...100).contains(score) && days >= 0)
            precondition(!id.isEmpty && !id.utf8.contains(0))
        case .name(let name, let id):
            precondition(name.utf8.count <= 200 && !name.utf8.contains(0))
            precondition(!id.isEmpty && !id.utf8.contains(0))
        case .alert(let since, let priority, let score, let id):
            precondition((1...4).contains(priority) && (0...100).contains(score) && since.text.utf8.count == 10)
            precondition(!id.isEmpty && !id.utf8.contains(0))
        }
    }
    precondition(Base64URL.decode(Base64URL.encode(input).utf8) == input)
}

func isJSON(_ bytes: [UInt8]) -> Bool { (try? JSONValue.parse(bytes)) != nil }

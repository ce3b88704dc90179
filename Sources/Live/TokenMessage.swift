import JSON

/// The only message of a client: `{"token": "…"}`.
enum TokenMessage {
    /// The token. Nil for any other message.
    static func token(in message: [UInt8]) -> [UInt8]? {
        do throws(JSONError) {
            guard let object = try JSONValue.parse(message).object, !object.hasDuplicateNames else { return nil }
            return object["token"]?.text.map { Array($0.utf8) }
        } catch {
            return nil
        }
    }
}

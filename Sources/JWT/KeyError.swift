/// The reason why keys cannot be read or used.
///
/// The text is for the log and the operator. It follows the name of the file, address or variable that holds the keys,
/// and quotes no key.
struct KeyError: Error, Equatable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }
}

/// Why keys cannot be read or used.
///
/// The text is for the log and the operator, who reads it after the name of the file, address or variable with the
/// keys. It quotes no key.
struct KeyError: Error, Equatable, Sendable {
    let text: String

    init(_ text: String) { self.text = text }
}

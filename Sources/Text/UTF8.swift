extension String {
    /// The text that `bytes` encode in UTF-8; nil where they do not.
    ///
    /// `String(validating:as:)` decodes scalar by scalar. Decoding all at once replaces invalid bytes, so that the
    /// result differs from `bytes`.
    // Inlinable, so that it is specialized: the segments of each path go through it.
    @inlinable
    public init?(utf8 bytes: some Collection<UInt8>) {
        var text = String(decoding: bytes, as: UTF8.self)
        guard text.withUTF8({ $0.elementsEqual(bytes) }) else { return nil }
        self = text
    }
}

extension String {
    /// Decodes UTF-8. Nil if `bytes` are not valid UTF-8.
    ///
    /// `String(validating:as:)` decodes scalar by scalar and is slower. `String(decoding:as:)` replaces invalid bytes,
    /// so a result that differs from `bytes` shows them.
    // Inlinable, so that other modules specialize it: each segment of a path is decoded here.
    @inlinable
    public init?(utf8 bytes: some Collection<UInt8>) {
        var text = String(decoding: bytes, as: UTF8.self)
        guard text.withUTF8({ $0.elementsEqual(bytes) }) else { return nil }
        self = text
    }
}

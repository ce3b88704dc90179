import COpenSSL

/// The owner of one OpenSSL object, which frees it.
struct OpenSSLHandle<Pointer>: ~Copyable {
    private let pointer: Pointer
    private let free: (Pointer) -> Void

    /// Takes ownership of `pointer`. Nil if OpenSSL returned none.
    init?(_ pointer: Pointer?, free: @escaping (Pointer) -> Void) {
        guard let pointer else { return nil }
        self.pointer = pointer
        self.free = free
    }

    /// Lends the pointer, which must not outlive `body`.
    borrowing func withPointer<Result: ~Copyable>(_ body: (Pointer) -> Result) -> Result { body(pointer) }

    deinit { free(pointer) }
}

enum OpenSSLErrors {
    /// Empties this thread's error queue, since the next TLS call would take earlier errors for its own.
    static func clear() { ERR_clear_error() }
}

enum PEM {
    /// The labels of the PEM blocks in `text`, in order. OpenSSL skips text outside of blocks.
    static func labels(in text: [UInt8]) -> [String] {
        defer { OpenSSLErrors.clear() }
        guard let length = CInt(exactly: text.count),
            let bio = OpenSSLHandle(BIO_new(BIO_s_mem()), free: { BIO_free_all($0) })
        else { return [] }
        return bio.withPointer { bio in
            guard BIO_write(bio, text, length) == length else { return [] }
            var labels: [String] = []
            while let label = label(nextOf: bio) { labels.append(label) }
            return labels
        }
    }

    private static func label(nextOf bio: OpaquePointer) -> String? {
        var label: UnsafeMutablePointer<CChar>?
        var headers: UnsafeMutablePointer<CChar>?
        var data: UnsafeMutablePointer<UInt8>?
        var length = 0
        guard PEM_read_bio(bio, &label, &headers, &data, &length) == 1 else { return nil }
        defer {
            reengagement_OPENSSL_free(label)
            reengagement_OPENSSL_free(headers)
            reengagement_OPENSSL_free(data)
        }
        return label.map { String(cString: $0) }
    }
}

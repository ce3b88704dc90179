internal import Files
internal import JSON

/// Reads a whole regular file of at most `limit` bytes that no other user may change.
func readFile(_ path: String, atMost limit: Int) throws(KeyError) -> [UInt8] {
    do throws(FileError) {
        return try TrustedFile.read(path, atMost: limit)
    } catch {
        throw KeyError(error.text)
    }
}

/// Refuses a file that other users may change.
func checkTrust(_ path: String) throws(KeyError) {
    do throws(FileError) {
        try TrustedFile.check(path)
    } catch {
        throw KeyError(error.text)
    }
}

extension JWKS {
    /// The largest JWKS, in bytes: more than any set of keys needs, and little enough to hold in memory at once.
    static let maximumLength = 256 << 10

    /// Reads the JWKS in the file at `path`.
    static func load(file path: String) throws(KeyError) -> JWKS {
        let bytes = try readFile(path, atMost: maximumLength)
        return try JWKS(bytes, of: "names a file without a usable JWKS")
    }

    /// Fetches the JWKS at `url`.
    static func load(
        url: String, with client: HTTPSClient, isStopped: @escaping StopCheck
    ) throws(KeyError) -> JWKS {
        // A user who can change the authorities can impersonate the server.
        if let caFile = client.caFile { try checkTrust(caFile) }
        let bytes = try client.get(url, atMost: maximumLength, isStopped: isStopped)
        return try JWKS(bytes, of: "the response is not a usable JWKS")
    }

    /// - Parameter context: precedes the reason in the error.
    private init(_ bytes: [UInt8], of context: String) throws(KeyError) {
        do throws(KeyError) {
            try self.init(bytes)
        } catch {
            throw KeyError("\(context): \(error.text)")
        }
    }
}

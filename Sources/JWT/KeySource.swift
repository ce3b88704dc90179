internal import Addresses

/// The source of the signing keys.
public enum KeySource: Sendable, Equatable {
    /// One key as PEM, the value of `CLERK_JWT_KEY`.
    case pem(String)
    /// A JWKS in the file at this path, read again when it changes: `CLERK_JWKS_FILE`.
    case jwksFile(String)
    /// A JWKS at this https address: `CLERK_JWKS_URL` and `CLERK_JWKS_CA_FILE`.
    ///
    /// The authorities in `caFile` are trusted instead of the system's.
    case jwksURL(String, caFile: String?)
}

/// An operator's setting of keys, authorities or a deny list that cannot be used.
public struct KeySourceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The environment variable.
    public let variable: String
    /// The error in its value, which is not quoted.
    public let problem: String

    /// One line for the operator.
    public var description: String { "\(variable) \(problem)" }

    /// Runs `body`, and turns its error into one of `variable`.
    static func of<Result>(
        _ variable: String, _ body: () throws(KeyError) -> Result
    ) throws(KeySourceError) -> Result {
        do throws(KeyError) {
            return try body()
        } catch {
            throw KeySourceError(variable: variable, problem: error.text)
        }
    }
}

extension KeySource {
    /// The keys at the start. Nil if they have to be fetched.
    func initialKeys() throws(KeySourceError) -> JWKS? {
        switch self {
        case .pem(let text):
            return try KeySourceError.of(variable) { () throws(KeyError) in
                JWKS(keys: .one(try Self.key(inPEM: text)), skipped: [])
            }
        case .jwksFile(let path):
            return try KeySourceError.of(variable) { () throws(KeyError) in try Self.keys(inFile: path) }
        case .jwksURL(let url, let caFile):
            try KeySourceError.of(variable) { () throws(KeyError) in try Self.check(url: url) }
            guard let caFile else { return nil }
            try KeySourceError.of("CLERK_JWKS_CA_FILE") { () throws(KeyError) in try Self.check(caFile: caFile) }
            return nil
        }
    }

    private static func key(inPEM text: String) throws(KeyError) -> PublicKey {
        let key = try KeyText(text)
        do throws(KeyError) {
            return try PublicKey(der: key.der, isPKCS1: key.isPKCS1)
        } catch {
            throw KeyError("holds a public key that cannot be used: \(error.text)")
        }
    }

    /// - Throws: a ``KeyError`` if the file cannot be read, or if none of its keys can be used. An empty set is valid.
    private static func keys(inFile path: String) throws(KeyError) -> JWKS {
        let set = try JWKS.load(file: path)
        guard set.keys.count == 0, !set.skipped.isEmpty else { return set }
        let reasons = set.skipped.joined(separator: "; ")
        throw KeyError("names a file without a usable JWKS: it has no RSA key for RS256 signatures (\(reasons))")
    }

    private static func check(url: String) throws(KeyError) {
        guard let parts = URLParts(url), !parts.host.isEmpty else { throw KeyError("is not an absolute URL") }
        guard parts.scheme == "https" else {
            throw KeyError("must be an https address: a party that can change the keys in transit can sign tokens")
        }
        // Credentials would appear in logs and process lists.
        guard !parts.hasCredentials else { throw KeyError("must not hold a user or a password") }
    }

    private static func check(caFile path: String) throws(KeyError) {
        let text = try readFile(path, atMost: 4 << 20)
        guard PEM.labels(in: text).contains(where: { $0.hasSuffix("CERTIFICATE") }) else {
            throw KeyError("names a file without a certificate in PEM")
        }
    }
}

/// Where the signing keys come from.
public enum KeySource: Sendable, Equatable {
    /// The one key, as PEM: the value of `CLERK_JWT_KEY`.
    case pem(String)
    /// A JWKS in the file at this path, read again as it changes: `CLERK_JWKS_FILE`.
    case jwksFile(String)
    /// A JWKS at this https address, with the authorities in `caFile` instead of the system's:
    /// `CLERK_JWKS_URL` and `CLERK_JWKS_CA_FILE`.
    case jwksURL(String, caFile: String?)
}

/// A key source that cannot be used: a fault of the configuration.
public struct KeySourceError: Error, Equatable, Sendable, CustomStringConvertible {
    /// The environment variable at fault.
    public let variable: String
    /// What is wrong with its value, without the value.
    public let problem: String

    /// One line for the person who starts the server.
    public var description: String { "\(variable) \(problem)" }
}

extension KeySource {
    /// The keys that are there at the start; nil where they are yet to be fetched.
    ///
    /// A fault of the configuration shows here, and nothing is started.
    func initialKeys() throws(KeySourceError) -> JWKS? {
        switch self {
        case .pem(let text):
            return JWKS(keys: .one(try Self.key(inPEM: text)), skipped: [])
        case .jwksFile(let path):
            do throws(KeyLoadError) {
                let set = try JWKS.load(file: path)
                guard set.keys.count > 0 || set.skipped.isEmpty else { throw set.isOfNoUse }
                return set
            } catch {
                throw KeySourceError(variable: "CLERK_JWKS_FILE", problem: error.message)
            }
        case .jwksURL(let url, let caFile):
            try Self.check(url: url)
            if let caFile { try Self.check(caFile: caFile) }
            return nil
        }
    }

    private static func key(inPEM text: String) throws(KeySourceError) -> PublicKey {
        func fault(_ problem: String) -> KeySourceError { KeySourceError(variable: "CLERK_JWT_KEY", problem: problem) }
        let key: KeyText
        do throws(KeyText.Fault) {
            key = try KeyText(text)
        } catch {
            throw fault(error.text)
        }
        do throws(PublicKey.Fault) {
            return try PublicKey(der: key.der, isPKCS1: key.isPKCS1)
        } catch {
            throw fault("holds a public key that cannot be used: \(error.text)")
        }
    }

    private static func check(url: String) throws(KeySourceError) {
        func fault(_ problem: String) -> KeySourceError { KeySourceError(variable: "CLERK_JWKS_URL", problem: problem) }
        guard let parts = URLParts(url), !parts.host.isEmpty else { throw fault("is not an absolute URL") }
        guard parts.scheme == "https" else {
            throw fault("must be an https address, since whoever can change the keys on the way can sign tokens")
        }
        // It would stand in logs and process lists.
        guard !parts.hasCredentials else { throw fault("must not hold a user or a password") }
    }

    private static func check(caFile path: String) throws(KeySourceError) {
        func fault(_ problem: String) -> KeySourceError {
            KeySourceError(variable: "CLERK_JWKS_CA_FILE", problem: problem)
        }
        let text: [UInt8]
        do throws(KeyLoadError) {
            text = try readFile(path, atMost: 4 << 20)
        } catch {
            throw fault(error.message)
        }
        guard PEM.labels(in: text).contains(where: { $0.hasSuffix("CERTIFICATE") }) else {
            throw fault("names a file without a certificate in PEM")
        }
    }
}

extension JWKS {
    /// Why a server does not start with it: its keys are there, and none can be used. A set without any is in order.
    fileprivate var isOfNoUse: KeyLoadError {
        KeyLoadError(
            message:
                "names a file without a usable JWKS: it has no RSA key for RS256 signatures (\(skipped.joined(separator: "; ")))"
        )
    }
}

extension PublicKey.Fault {
    /// What is wrong, for the person who configures or publishes the key.
    var text: String {
        switch self {
        case .notAKey: "it is not a well-formed key"
        case .notRSA: "it is not an RSA key"
        case .tooShort(let bits): "it has \(bits) bits, and 2048 is the least"
        case .tooLong(let bits): "it has \(bits) bits, and 8192 is the most"
        case .unfitModulus: "its modulus is even"
        case .unfitExponent: "its exponent is not an odd number from 3 to 2^32"
        }
    }
}

import JSON

@testable import JWT

private let issuer = "https://clerk.example.test"
private let now = 1_750_000_000.0

// The private half of this key was not stored, so no input can have a valid signature.
private let pem = """
    -----BEGIN PUBLIC KEY-----
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAxFTa5lGLulqi1bl5ersb
    /MXXn79HTJzscXC6PfiJVHc9FdPr2Vt3VCNKV+BMlIhHNTnOFGKkcAb1Kz1mppDH
    NXsO7vq9GpZzO5U+bwWKqoJI4z7K4vge7uLT+bX6XCOlRNRZUQ6AinDkt5eIJ6DY
    FQE/gDKn6ZNDvZGXX7pe37KACVA98x6n1YK1aTpUElU62Ot70Pk+L3i1TVIGGM0V
    O1IEhgwGj3f14ydoOd2DNDR0A85FGyeGOB9j2Xu9j36QKwXO+9P63vPRTk7VQDnp
    GBtm11q0V204UOlkD66U89v+bblGKmsTLzgT8jaMSBS5SqUJHcScgmmkWXa4nC00
    SwIDAQAB
    -----END PUBLIC KEY-----
    """

private let verifier: Verifier = {
    do throws(KeySourceError) {
        let keys = try KeySet(source: .pem(pem), pace: .file, client: HTTPSClient(), report: { _ in })
        return Verifier(keys: keys, policy: Policy(issuer: issuer))
    } catch {
        preconditionFailure("the fixed key is not accepted: \(error)")
    }
}()

/// A complete token, as in the header. No input is ever accepted.
@Sendable func fuzzToken(_ input: [UInt8]) { refuse(input) }

/// Header and payload as JSON, separated by a line break and encoded as a token with a signature of the right length.
/// This reaches libjwt, jansson and the reading of the claims.
@Sendable func fuzzClaims(_ input: [UInt8]) {
    let parts = input.split(separator: UInt8(ascii: "\n"), maxSplits: 1, omittingEmptySubsequences: false)
    let header = Array(parts[0])
    let payload = parts.count > 1 ? Array(parts[1]) : []
    let signature = [UInt8](repeating: 7, count: 256)
    refuse(Array([header, payload, signature].map(Base64URL.encode).joined(separator: ".").utf8))
    guard let object = (try? JSONValue.parse(payload))?.object,
        let claims = try? Policy(issuer: issuer).claims(of: object, at: TokenTime(now))
    else { return }
    precondition(!claims.subject.isEmpty && claims.expiresAt + 5 > now)
    precondition(claims.organization != "")
}

private func refuse(_ token: [UInt8]) {
    do throws(TokenError) {
        _ = try verifier.verify(token, at: TokenTime(now))
        preconditionFailure("a token without a valid signature was accepted")
    } catch {
        precondition(error != .keysUnavailable)
    }
}

/// A JWKS: each accepted key is usable and has a name.
@Sendable func fuzzJWKS(_ input: [UInt8]) {
    guard let set = try? JWKS(input) else { return }
    guard case .named(let keys) = set.keys else { preconditionFailure("a JWKS gave a key without a kid") }
    precondition(keys.allSatisfy { !$0.key.isEmpty && !$0.value.isEmpty })
    precondition(keys.values.joined().allSatisfy { $0.pem.starts(with: "-----BEGIN PUBLIC KEY-----\n".utf8) })
}

/// The value of CLERK_JWT_KEY, including OpenSSL's parsing of the DER.
@Sendable func fuzzPEM(_ input: [UInt8]) {
    let text = String(decoding: input, as: UTF8.self)
    guard let set = try? KeySource.pem(text).initialKeys() else { return }
    guard case .one(let key) = set.keys else { preconditionFailure("a PEM gave more than one key") }
    precondition(key.pem.starts(with: "-----BEGIN PUBLIC KEY-----\n".utf8))
}

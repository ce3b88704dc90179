import Testing

@testable import JWT

@Suite struct PEMTests {
    private let pem = SigningKey.first.publicPEM

    private func problem(_ text: String) -> String? {
        do throws(KeySourceError) {
            try KeySet.check(.pem(text))
            return nil
        } catch {
            return error.description
        }
    }

    private func accepts(_ text: String) throws -> Bool {
        Verifier(keys: try .quiet(.pem(text)), policy: Policy(issuer: issuer)).reason(Token().text) == nil
    }

    @Test("SPKI and PKCS#1 are the same key")
    func both() throws {
        #expect(try accepts(pem))
        #expect(try accepts(SigningKey.first.pkcs1PEM))
    }

    @Test("Line breaks may be spelt as a backslash and an n, or be those of Windows, or have text around them")
    func lineBreaks() throws {
        #expect(try accepts(pem.replacing("\n", with: "\\n")))
        #expect(try accepts(SigningKey.first.pkcs1PEM.replacing("\n", with: "\\n")))
        #expect(try accepts(pem.replacing("\n", with: "\r\n")))
        #expect(try accepts("The key:\n\(pem)\nthat was it."))
        #expect(try accepts(String(pem.dropLast())))
    }

    @Test("A private key is refused, with a message that says so and holds nothing of it")
    func privateKey() throws {
        let key = SigningKey.first.privatePEM
        #expect(problem(key)?.hasPrefix("CLERK_JWT_KEY holds a private key") == true)
        let traditional = try run("/usr/bin/openssl", ["rsa", "-traditional"], input: key)
        #expect(traditional.contains("BEGIN RSA PRIVATE KEY"))
        #expect(problem(traditional)?.contains("a private key") == true)
        let encrypted = try run("/usr/bin/openssl", ["pkey", "-aes256", "-passout", "pass:secret"], input: key)
        #expect(problem(encrypted)?.contains("a private key") == true)
    }

    @Test("A certificate is refused, with a message that says so")
    func certificate() throws {
        let authority = try TestAuthority()
        #expect(problem(authority.certificate)?.contains("holds a certificate") == true)
    }

    @Test("Keys that RS256 cannot be trusted with are refused")
    func unfit() throws {
        #expect(problem(SigningKey.short.publicPEM)?.contains("1024 bits") == true)
        let ec = try run(
            "/usr/bin/openssl", ["pkey", "-pubout"],
            input: run("/usr/bin/openssl", ["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"]))
        #expect(problem(ec)?.contains("not an RSA key") == true)
        let pss = try run(
            "/usr/bin/openssl", ["pkey", "-pubout"],
            input: run("/usr/bin/openssl", ["genpkey", "-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"]))
        #expect(problem(pss)?.contains("not an RSA key") == true)
    }

    @Test(
        "What is no public key is refused, naming the variable",
        arguments: [
            "", "secret", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n",
            "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        ])
    func nonsense(_ text: String) {
        #expect(problem(text)?.hasPrefix("CLERK_JWT_KEY ") == true)
    }

    @Test("Two keys in one value are refused, since nobody could say which is meant")
    func two() {
        #expect(problem(pem + SigningKey.second.publicPEM)?.contains("2 PEM blocks") == true)
    }

    @Test("Bytes after the key, inside its block, are refused")
    func trailingBytes() throws {
        guard let block = PEMBlock.all(in: Array(pem.utf8)).first else { throw ChildError(program: "PEM", status: 1) }
        #expect(throws: PublicKey.Fault.notAKey) { try PublicKey(der: block.der + [0], isPKCS1: false) }
        #expect(try PublicKey(der: block.der, isPKCS1: false).pem == Array(pem.utf8))
    }
}

import Foundation
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

    @Test("SPKI and PKCS#1 encode the same key")
    func both() throws {
        #expect(try accepts(pem))
        #expect(try accepts(SigningKey.first.pkcs1PEM))
    }

    @Test("Line breaks may be escaped or those of Windows, and text may surround the key")
    func lineBreaks() throws {
        #expect(try accepts(pem.replacing("\n", with: "\\n")))
        #expect(try accepts(SigningKey.first.pkcs1PEM.replacing("\n", with: "\\n")))
        #expect(try accepts(pem.replacing("\n", with: "\r\n")))
        #expect(try accepts("The key:\n\(pem)\nthat was it."))
        #expect(try accepts(String(pem.dropLast())))
    }

    @Test("A private key is refused, with a message that quotes no part of it")
    func privateKey() throws {
        let key = SigningKey.first.privatePEM
        #expect(problem(key)?.hasPrefix("CLERK_JWT_KEY holds a private key") == true)
        let traditional = try run("/usr/bin/openssl", ["rsa", "-traditional"], input: key)
        #expect(traditional.contains("BEGIN RSA PRIVATE KEY"))
        #expect(problem(traditional)?.contains("a private key") == true)
        let encrypted = try run("/usr/bin/openssl", ["pkey", "-aes256", "-passout", "pass:secret"], input: key)
        #expect(problem(encrypted)?.contains("a private key") == true)
    }

    @Test("A certificate is refused with a message that names it")
    func certificate() throws {
        let authority = try TestAuthority()
        #expect(problem(authority.certificate)?.contains("holds a certificate") == true)
    }

    @Test("Keys that are unsuitable for RS256 are refused")
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
        "A text that is not a public key is refused with the name of the variable",
        arguments: [
            "", "secret", "-----BEGIN PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
            "-----BEGIN RSA PUBLIC KEY-----\nMAA=\n-----END RSA PUBLIC KEY-----\n",
            "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n",
        ])
    func nonsense(_ text: String) {
        #expect(problem(text)?.hasPrefix("CLERK_JWT_KEY ") == true)
    }

    @Test("Two keys in one value are refused as ambiguous")
    func two() {
        #expect(problem(pem + SigningKey.second.publicPEM)?.contains("2 PEM blocks") == true)
    }

    @Test("Bytes after the key inside its block are refused")
    func trailingBytes() throws {
        let key = try KeyText(pem)
        #expect(throws: KeyError.malformed) { try PublicKey(der: key.der + [0], isPKCS1: false) }
        #expect(try PublicKey(der: key.der, isPKCS1: false).pem == Array(pem.utf8))
    }

    /// Alterations of a key between a dashboard and the environment of a process.
    private static let shapes: [(String, @Sendable (String) -> String)] = [
        ("one line", { $0.replacing("\n", with: "") }),
        ("spaces for line breaks", { $0.replacing("\n", with: " ") }),
        ("quoted", { "\"\($0)\"" }),
        ("quoted once too often, escaped", { "'\\\"\($0.replacing("\n", with: "\\n"))\\\"'" }),
        ("breaks of Windows, escaped", { $0.replacing("\n", with: "\\r\\n") }),
        ("breaks escaped twice", { $0.replacing("\n", with: "\\\\n") }),
        ("a backslash before each line break, as in a shell", { $0.replacing("\n", with: "\\\n") }),
        ("slashes escaped, as some JSON is written", { $0.replacing("/", with: "\\/") }),
        ("indented, as in YAML", { $0.replacing("\n", with: "\n    ") }),
        ("breaks of an old Macintosh", { $0.replacing("\n", with: "\r") }),
        ("a byte order mark", { "\u{FEFF}" + $0 }),
        ("without its first and last line", { body($0, "\n") }),
        ("without its first and last line, in one", { body($0, "") }),
        ("the same in quotes", { "\"\(body($0, "\\n"))\"" }),
        (
            "without padding, of the other alphabet",
            {
                body($0, "").replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
            }
        ),
        ("in base64 again", { Data($0.utf8).base64EncodedString() }),
        ("in base64 again, in lines", { Data($0.utf8).base64EncodedString(options: .lineLength76Characters) }),
        ("no spaces at all", { $0.filter { !$0.isWhitespace } }),
    ]

    private static func body(_ pem: String, _ separator: String) -> String {
        pem.split(separator: "\n").dropFirst().dropLast().joined(separator: separator)
    }

    @Test("A key is accepted in each shape that dashboards and shells produce", arguments: shapes.indices)
    func shape(_ index: Int) throws {
        let (name, change) = Self.shapes[index]
        #expect(try accepts(change(pem)), "\(name)")
        #expect(try accepts(change(SigningKey.first.pkcs1PEM)), "\(name), PKCS#1")
        for key in [SigningKey.first.privatePEM] {
            let problem = problem(change(key))
            #expect(problem?.contains("a private key") == true, "\(name): \(problem ?? "accepted")")
        }
        #expect(problem(change(SigningKey.short.publicPEM))?.contains("1024 bits") == true, "\(name)")
    }

    @Test(
        "The error names the probable kind of a text that is not a key",
        arguments: [
            ("/etc/clerk/public.pem", "a file's name"), ("./public", "a file's name"), ("public.pem", "a file's name"),
            ("https://clerk.example.test/.well-known/jwks.json", "an address"), ("{\"keys\":[]}", "JSON"),
            ("pk_live_Y2xlcms", "publishable or secret"), ("sk_test_abc", "publishable or secret"),
            ("-----BEGIN PUBLIC KEY-----", "the beginning of a key alone"), ("-----BEGIN PUBLIC KEY", "the beginning"),
            ("-----BEGIN PUBLIC KEY-----\\nMIIB", "the beginning"), ("MIIB", "no key"), ("\"\"", "no key"),
            ("AAAA", "no key"),
            ("-----BEGIN EC PARAMETERS-----\nAAAA\n-----END EC PARAMETERS-----", "no key"),
        ])
    func guesses(_ text: String, _ words: String) {
        #expect(
            problem(text)?.contains("holds \(words)") == true || problem(text)?.contains(words) == true,
            "\(problem(text) ?? "accepted")")
        #expect(problem(text)?.contains("\n") == false)
    }
}

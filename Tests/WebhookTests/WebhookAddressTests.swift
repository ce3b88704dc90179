import Testing

@testable import Webhook

@Suite("The address of a webhook")
struct WebhookAddressTests {
    private func isAccepted(_ text: String, allowsPrivate: Bool = false) -> Bool {
        (try? WebhookAddress(text, allowsPrivate: allowsPrivate)) != nil
    }

    @Test(
        "A public https address is accepted as it is",
        arguments: [
            "https://n8n.example.com/webhook/abc", "https://n8n.example.com", "https://n8n.example.com:443/",
            "https://n8n.example.com:8443/x?y=%20&z=@", "https://xn--bcher-kva.example./", "HTTPS://N8N.Example.COM/A",
            "https://8.8.8.8/", "https://[2606:4700::1111]/", "https://[::ffff:8.8.8.8]/", "https://192.0.0.9/",
            "https://localhost.example.com/", "https://under_score.example/",
        ])
    func good(text: String) throws {
        #expect(try WebhookAddress(text, allowsPrivate: false).text == text)
        #expect(try WebhookAddress(text, allowsPrivate: true).text == text)
    }

    @Test(
        "An address of this machine or of a private network, another port and http need a permission",
        arguments: [
            "http://n8n.example.com/", "https://n8n.example.com:5678/", "https://n8n.example.com:80/",
            "https://localhost/", "https://LOCALHOST:8443/", "https://a.localhost/", "https://localhost./",
            "https://127.0.0.1/", "https://127.1/", "https://2130706433/", "https://0x7f.0.0.1/",
            "https://017700000001/",
            "https://10.0.0.1/", "https://172.31.255.255/", "https://192.168.1.1/", "https://100.64.0.1/",
            "https://169.254.169.254/", "https://0.0.0.0/", "https://224.0.0.1/", "https://255.255.255.255/",
            "https://[::1]/", "https://[::]/", "https://[fd00::1]/", "https://[fe80::1]/", "https://[fe80::1%25eth0]/",
            "https://[::ffff:127.0.0.1]/", "https://[::127.0.0.1]/", "https://[64:ff9b::10.0.0.1]/",
            "https://[2002:7f00:1::]/", "https://[2001:db8::1]/", "https://[2001::1]/", "https://127.0.0.1./",
            "https://%31%32%37.0.0.1/",
        ])
    func privateOnly(text: String) {
        #expect(!isAccepted(text))
        #expect(isAccepted(text, allowsPrivate: true))
    }

    @Test(
        "No permission helps an address that cannot be",
        arguments: [
            "", "n8n.example.com", "https://", "https:///x", "https:n8n.example.com", "//n8n.example.com",
            "ftp://n8n.example.com/", "file:///etc/passwd", "https://user@n8n.example.com/",
            "https://user:word@n8n.example.com/", "https://@n8n.example.com/", "https://n8n.example.com/#a",
            "https://n8n.example.com/ ", " https://n8n.example.com/", "https://n8n.example.com\\x",
            "https://n8n.example.com:0/", "https://n8n.example.com:65536/", "https://n8n.example.com:x/",
            "https://bücher.example/", "https://a..example/", "https://.example/", "https://exa mple.com/",
            "https://a\u{0}b.example/", "https://n8n.example.com/\r\nX: y", "https://[::1/", "https://[n8n]/",
            "https://a,b.example/", "https://n8n.example.com/" + String(repeating: "x", count: 1977),
        ])
    func bad(text: String) {
        #expect(!isAccepted(text))
        #expect(!isAccepted(text, allowsPrivate: true))
    }

    @Test("The longest address has 2000 bytes")
    func longest() {
        let start = "https://n8n.example.com/"
        #expect(isAccepted(start + String(repeating: "x", count: 2000 - start.count)))
        #expect(!isAccepted(start + String(repeating: "x", count: 2001 - start.count)))
    }
}

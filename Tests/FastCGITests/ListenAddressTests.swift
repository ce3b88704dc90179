import FastCGI
import Testing

@Suite("The address to listen on")
struct ListenAddressTests {
    @Test(
        "A text with a slash or without a colon is a path",
        arguments: [
            "/run/reengagement/api.sock", ".local/run/api.sock", "api.sock", "/run/a:9000", "./a:9000", "/Ōtaki 1",
        ])
    func paths(text: String) {
        #expect(ListenAddress(text) == .unix(path: text))
    }

    @Test("A host and a port are accepted, with brackets around an IPv6 address")
    func hosts() {
        #expect(ListenAddress("127.0.0.1:9000") == .tcp(host: "127.0.0.1", port: 9000))
        #expect(ListenAddress("localhost:1") == .tcp(host: "localhost", port: 1))
        #expect(ListenAddress("app.internal:65535") == .tcp(host: "app.internal", port: 65535))
        #expect(ListenAddress("[::1]:9000") == .tcp(host: "::1", port: 9000))
    }

    @Test(
        "An address without a host, with an invalid port or with a NUL is refused",
        arguments: [
            "", ":9000", "[]:9000", "host:", "host:0", "host:65536", "host:-1", "host:+1", "host: 1", "host:1x",
            "[::1]",
            "a\0b", "host:\0", "/run/a\0.sock",
        ])
    func refused(text: String) {
        #expect(ListenAddress(text) == nil)
    }

    @Test("A path has at most 107 bytes")
    func length() {
        #expect(ListenAddress("/" + String(repeating: "a", count: 106)) != nil)
        #expect(ListenAddress("/" + String(repeating: "a", count: 107)) == nil)
        #expect(ListenAddress("/" + String(repeating: "é", count: 53)) != nil)
        #expect(ListenAddress("/" + String(repeating: "é", count: 54)) == nil)
    }
}

import Addresses
import Testing

@Suite("Globally reachable addresses")
struct GlobalAddressTests {
    private func isGlobal(_ text: String) throws -> Bool {
        GlobalAddress.isGlobal(try #require(GlobalAddress.bytes(text)))
    }

    @Test(
        "Addresses of the internet are globally reachable",
        arguments: [
            "1.1.1.1", "9.255.255.255", "11.0.0.0", "100.63.255.255", "100.128.0.0", "126.255.255.255", "128.0.0.1",
            "169.253.255.255", "172.15.255.255", "172.32.0.0", "192.0.0.9", "192.0.0.10", "192.0.1.1", "192.31.196.1",
            "192.52.193.1", "192.175.48.1", "198.17.255.255", "198.20.0.0", "203.0.114.1", "223.255.255.255",
            "2000::1", "2606:4700:4700::1111", "2001:200::1", "2001:1::1", "2001:1::2", "2001:1::3", "2001:3::1",
            "2001:4:112::1", "2001:20::1", "2001:3f::1", "2620:4f:8000::1", "3ffe:ffff::1", "2002:808:808::1",
            "::ffff:8.8.8.8", "64:ff9b::8.8.8.8",
        ])
    func global(text: String) throws { #expect(try isGlobal(text)) }

    @Test(
        "Addresses of IANA's registries that are not globally reachable, and multicast, are not",
        arguments: [
            "0.0.0.0", "0.255.255.255", "10.0.0.0", "10.255.255.255", "100.64.0.0", "100.127.255.255", "127.0.0.1",
            "127.255.255.255", "169.254.0.0", "172.16.0.0", "172.31.255.255", "192.0.0.0", "192.0.0.8", "192.0.0.11",
            "192.0.0.170", "192.0.2.1", "192.88.99.1", "192.168.0.0", "192.168.255.255", "198.18.0.0", "198.19.255.255",
            "198.51.100.1", "203.0.113.255", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "::",
            "::1",
            "::ffff:10.0.0.1", "::ffff:127.0.0.1", "::ffff:169.254.169.254", "::10.0.0.1", "::8.8.8.8",
            "64:ff9b::192.168.0.1", "64:ff9b:1::1", "100::1", "100:0:0:1::1", "2001::1", "2001:1::4", "2001:2::1",
            "2001:10::1", "2001:40::1", "2001:1ff::1", "2001:db8::1", "2002:a00:1::1", "2002:7f00:1::1", "3fff::1",
            "3fff:fff::1", "5f00::1", "fc00::1", "fd00::1", "fe80::1", "febf::1", "fec0::1", "ff02::1", "1fff::1",
            "4000::1",
        ])
    func special(text: String) throws { #expect(try !isGlobal(text)) }

    @Test(
        "A name is no address, and neither is another notation of a number",
        arguments: ["", "a", "1.1.1", "0x7f.0.0.1"])
    func names(text: String) { #expect(GlobalAddress.bytes(text) == nil) }
}

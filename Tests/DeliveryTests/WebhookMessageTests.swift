import Testing

@testable import Delivery

@Suite("Messages to a webhook")
struct WebhookMessageTests {
    @Test("The id is the organization and the sequence, as it may stand in a header")
    func id() {
        let numbers = WebhookMessage.Numbers(sequence: 7, critical: 3, newToday: 2, open: 1)
        let message = WebhookMessage.changed("org: \r\nx", numbers, at: 0)
        #expect(message.id == "org%3a%20%0d%0ax:7")
        let body = String(decoding: message.body, as: UTF8.self)
        #expect(
            body
                == #"{"type":"alerts.changed","timestamp":"1970-01-01T00:00:00Z","data":{"organization_id":"org: \r\nx","#
                + #""sequence":7,"critical":3,"new_today":2,"open":1}}"#)
    }

    @Test("A random id is a UUID of version 4")
    func uuid() throws {
        let uuid = RandomID.uuid()
        #expect(try #/[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/#.wholeMatch(in: uuid) != nil)
        #expect(RandomID.uuid() != uuid)
    }

    @Test(
        "A receiver is public if the address is, and the port is 443 or 8443",
        arguments: [
            ([8, 8, 8, 8], 443, true), ([8, 8, 8, 8], 8443, true), ([8, 8, 8, 8], 80, false),
            ([10, 0, 0, 1], 443, false),
            ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1], 443, false),
        ] as [([UInt8], Int, Bool)])
    func receivers(bytes: [UInt8], port: Int, isPublic: Bool) {
        #expect(ConnectedAddress(bytes: bytes, port: port).isPublicReceiver == isPublic)
    }
}

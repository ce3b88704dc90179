internal import Addresses
import JSON

/// The section `sending` of the settings: what messages to patients contain, and when they may be sent.
///
/// Each member is optional. Null means that it is not set, and campaigns then use their own default or refuse.
struct SendingSetting: Sendable {
    private let clinicName: String?
    private let bookingLink: String?
    private let postalAddress: String?
    private let country: String?
    private let smsFrom: String?
    private let replyTo: String?
    private let staffAddresses: [String]
    private let hours: ClosedRange<Int>?
    private let globalHoldoutShare: Double?

    private static let mostAddresses = 10
    private static let longestText = 200
    private static let longestAddress = 1000
    private static let longestURL = 2000
    /// Within these hours messages may be sent at all.
    private static let widest = 8...21

    /// Reads the section. Its errors are added to those of `fields`.
    init(_ fields: inout BodyFields) {
        clinicName = fields.line("clinic_name", atMost: Self.longestText)
        bookingLink = fields.text("booking_link")
        if let bookingLink, !Self.isURL(bookingLink) {
            fields.errors.add("booking_link", "must be an https or http URL of at most \(Self.longestURL) bytes")
        }
        postalAddress = fields.line("postal_address", atMost: Self.longestAddress, breaks: true)
        country = fields.text("country")
        if let country, !Country.isCode(country) {
            fields.errors.add("country", "must be a country code of ISO 3166-1 with two capital letters, such as AU")
        }
        smsFrom = fields.text("sms_from").map(ContactAddress.trimmed)
        if let smsFrom, !ContactAddress.isPhone(smsFrom) {
            fields.errors.add("sms_from", "must be a phone number in E.164, such as +61400000000")
        }
        replyTo = fields.text("reply_to").map(ContactAddress.trimmed)
        if let replyTo, !ContactAddress.isEmail(replyTo) {
            fields.errors.add("reply_to", "must be an e-mail address")
        }
        staffAddresses = fields.optionalTexts("staff_addresses", atMost: Self.mostAddresses)
            .map(ContactAddress.trimmed)
        if let index = staffAddresses.firstIndex(where: {
            !ContactAddress.isEmail($0) && !ContactAddress.isPhone($0)
        }) {
            fields.errors.add(
                "staff_addresses",
                "has an item, number \(index + 1), that is neither an e-mail address nor a phone number in E.164")
        }
        hours = fields.section("hours") { fields in Self.hours(&fields) }.value ?? nil
        globalHoldoutShare = fields.fraction("global_holdout_share", in: 0...0.2)
    }

    private static func hours(_ fields: inout BodyFields) -> ClosedRange<Int>? {
        let before = fields.errors.list.count
        let from = fields.number("from", in: widest)
        let to = fields.number("to", in: widest)
        guard fields.errors.list.count == before else { return nil }
        guard let from else {
            fields.errors.add("from", "is required")
            return nil
        }
        guard let to else {
            fields.errors.add("to", "is required")
            return nil
        }
        guard from < to else {
            fields.errors.add("to", "must be after from")
            return nil
        }
        return from...to
    }

    private static func isURL(_ text: String) -> Bool {
        guard (1...longestURL).contains(text.utf8.count), text.utf8.allSatisfy({ (0x21...0x7E).contains($0) }),
            let parts = URLParts(text)
        else { return false }
        return ["https", "http"].contains(parts.scheme) && !parts.host.isEmpty && !parts.hasCredentials
    }

    /// The section as it is stored.
    var json: String {
        var writer = JSONWriter(capacity: 512)
        writer.object { writer in
            writer.member("clinic_name", string: clinicName)
            writer.member("booking_link", string: bookingLink)
            writer.member("postal_address", string: postalAddress)
            writer.member("country", string: country)
            writer.member("sms_from", string: smsFrom)
            writer.member("reply_to", string: replyTo)
            writer.array("staff_addresses") { writer in
                for address in staffAddresses { writer.string(address) }
            }
            writer.name("hours")
            if let hours {
                writer.object { writer in
                    writer.member("from", number: hours.lowerBound)
                    writer.member("to", number: hours.upperBound)
                }
            } else {
                writer.null()
            }
            writer.name("global_holdout_share")
            // Adding 0 removes the sign of -0.0.
            if let globalHoldoutShare { writer.raw("\(globalHoldoutShare + 0)") } else { writer.null() }
        }
        return String(decoding: writer.bytes, as: UTF8.self)
    }
}

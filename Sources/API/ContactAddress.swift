/// The rules for addresses of people (campaigns.md, section 1).
enum ContactAddress {
    private static let longestEmail = 254
    private static let longestLocalPart = 64
    private static let longestLabel = 63

    /// The text without the blanks (U+0020) at both ends.
    static func trimmed(_ text: String) -> String {
        String(text.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
    }

    /// True for atoms and dots, an `@`, and a domain of letters, digits, hyphens and dots (RFC 5321, section 4.1.2).
    static func isEmail(_ text: String) -> Bool {
        let parts = text.utf8.split(separator: UInt8(ascii: "@"), omittingEmptySubsequences: false)
        guard parts.count == 2, text.utf8.count <= longestEmail, parts[0].count <= longestLocalPart else {
            return false
        }
        let dot = UInt8(ascii: ".")
        let atoms = parts[0].split(separator: dot, omittingEmptySubsequences: false)
        let labels = parts[1].split(separator: dot, omittingEmptySubsequences: false)
        return atoms.allSatisfy { !$0.isEmpty && $0.allSatisfy(isAtomCharacter) }
            && labels.allSatisfy { label in
                let hyphen = UInt8(ascii: "-")
                return (1...longestLabel).contains(label.count) && label.first != hyphen && label.last != hyphen
                    && label.allSatisfy { isLetter($0) || isDigit($0) || $0 == hyphen }
            }
    }

    /// True for a number in E.164: a plus sign, and 7 to 15 digits of which the first is not 0.
    ///
    /// Whether the number exists is checked when it is used.
    static func isPhone(_ text: String) -> Bool {
        let digits = text.utf8.dropFirst()
        return text.utf8.first == UInt8(ascii: "+") && (7...15).contains(digits.count)
            && digits.first != UInt8(ascii: "0") && digits.allSatisfy(isDigit)
    }

    static func isDigit(_ byte: UInt8) -> Bool { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) }

    private static func isLetter(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
    }

    /// RFC 5322, section 3.2.3.
    private static func isAtomCharacter(_ byte: UInt8) -> Bool {
        isLetter(byte) || isDigit(byte) || "!#$%&'*+-/=?^_`{|}~".utf8.contains(byte)
    }
}

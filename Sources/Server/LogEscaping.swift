import Text

/// Escapes characters in a log line that a terminal or an editor does not show as they are.
///
/// Such characters move the cursor, change the terminal's state, the order of the text or the line, or are invisible.
/// They are controls (with C1, ECMA-48), controls of direction (Unicode Standard Annex 9), separators of lines and
/// paragraphs, other invisible characters, and unassigned ones.
enum LogEscaping {
    static func isPrintable(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value > 0x7E else { return scalar.value >= 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
        default: return !scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// Replaces each unprintable character by its `escape`. A line of ASCII is returned unchanged.
    ///
    /// - Parameter line: UTF-8 without control characters of ASCII.
    static func line(_ line: [UInt8], _ escape: (Unicode.Scalar) -> String) -> [UInt8] {
        guard line.contains(where: { $0 >= 0x7F }) else { return line }
        var shown = ""
        for scalar in String(decoding: line, as: UTF8.self).unicodeScalars {
            if isPrintable(scalar) { shown.unicodeScalars.append(scalar) } else { shown += escape(scalar) }
        }
        return Array(shown.utf8)
    }

    /// Swift's escape in a string literal.
    static func textEscape(_ scalar: Unicode.Scalar) -> String {
        "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
    }

    /// JSON's escape in a string (RFC 8259 section 7), which does not change the value.
    static func jsonEscape(_ scalar: Unicode.Scalar) -> String {
        UTF16.encode(scalar).map { units in
            units.map { "\\u" + Hexadecimal.text($0) }.joined()
        } ?? ""
    }
}

/// Which characters a terminal or an editor shows as they are.
///
/// The others move its cursor, change its state, the order of what it shows or the line, or are not to be seen: controls,
/// C1 among them (ECMA-48), controls of direction (Unicode Standard Annex 9), separators of lines and paragraphs, other
/// invisible marks, and what no font has.
enum Printable {
    static func contains(_ scalar: Unicode.Scalar) -> Bool {
        guard scalar.value > 0x7E else { return scalar.value >= 0x20 }
        switch scalar.properties.generalCategory {
        case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: return false
        default: return !scalar.properties.isDefaultIgnorableCodePoint
        }
    }

    /// The line, with the others replaced by what `escape` makes of them; a line of ASCII is itself.
    ///
    /// - Parameter line: UTF-8 without control characters of ASCII.
    static func line(_ line: [UInt8], _ escape: (Unicode.Scalar) -> String) -> [UInt8] {
        guard line.contains(where: { $0 >= 0x7F }) else { return line }
        var shown = ""
        for scalar in String(decoding: line, as: UTF8.self).unicodeScalars {
            if contains(scalar) { shown.unicodeScalars.append(scalar) } else { shown += escape(scalar) }
        }
        return Array(shown.utf8)
    }

    /// As Swift spells it in a string.
    static func inText(_ scalar: Unicode.Scalar) -> String {
        "\\u{\(String(scalar.value, radix: 16, uppercase: true))}"
    }

    /// As JSON spells it in a string (RFC 8259 section 7): the value stays what it is.
    static func inJSON(_ scalar: Unicode.Scalar) -> String {
        UTF16.encode(scalar).map { units in
            units.map { "\\u" + String(repeating: "0", count: 4 - digits($0).count) + digits($0) }.joined()
        } ?? ""
    }

    private static func digits(_ unit: UInt16) -> String { String(unit, radix: 16) }
}

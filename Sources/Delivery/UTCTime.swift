import Glibc

/// An instant of the machine's clock, in whole seconds since 1970.
struct UTCTime {
    let seconds: Int

    init(_ seconds: Int) { self.seconds = seconds }

    static var now: UTCTime { UTCTime(time(nil)) }

    /// Such as `2025-06-30T12:00:00Z`.
    var rfc3339: String { text("%Y-%m-%dT%H:%M:%SZ") }

    /// As in the header `Date` of a mail (RFC 5322, section 3.3).
    var mailDate: String { text("%a, %d %b %Y %H:%M:%S +0000") }

    /// For the names of files, such as `20250630T120000Z`.
    var fileStamp: String { text("%Y%m%dT%H%M%SZ") }

    /// `strftime` in the locale C, since the process sets no other.
    private func text(_ format: String) -> String {
        var (instant, parts) = (time_t(seconds), tm())
        gmtime_r(&instant, &parts)
        var buffer = [CChar](repeating: 0, count: 64)
        let length = strftime(&buffer, buffer.count, format, &parts)
        return String(decoding: buffer.prefix(length).map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}

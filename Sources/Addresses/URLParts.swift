import CCurl

/// A URL parsed by the library that will fetch it, so that both see the same host.
public struct URLParts {
    public let scheme: String
    /// The host in lower case, an IPv6 address in brackets, an IPv4 address in its usual notation.
    public let host: String
    /// The port, by default that of the scheme.
    public let port: String
    public let hasCredentials: Bool

    /// Nil if the text is not an absolute URL.
    public init?(_ url: String) {
        guard let handle = curl_url() else { return nil }
        defer { curl_url_cleanup(handle) }
        guard curl_url_set(handle, CURLUPART_URL, url, UInt32(CURLU_NON_SUPPORT_SCHEME)) == CURLUE_OK,
            let scheme = Self.part(CURLUPART_SCHEME, of: handle), let host = Self.part(CURLUPART_HOST, of: handle)
        else { return nil }
        self.scheme = scheme
        self.host = host.lowercased()
        port = Self.part(CURLUPART_PORT, of: handle, flags: UInt32(CURLU_DEFAULT_PORT)) ?? ""
        hasCredentials =
            Self.part(CURLUPART_USER, of: handle) != nil || Self.part(CURLUPART_PASSWORD, of: handle) != nil
    }

    private static func part(_ part: CURLUPart, of handle: OpaquePointer, flags: UInt32 = 0) -> String? {
        var text: UnsafeMutablePointer<CChar>?
        guard curl_url_get(handle, part, &text, flags) == CURLUE_OK, let text else { return nil }
        defer { curl_free(text) }
        return String(cString: text)
    }
}

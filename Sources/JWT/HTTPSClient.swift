internal import Addresses
import CCurl

/// A check that is repeated during a transfer. True ends the transfer.
typealias StopCheck = @Sendable () -> Bool

/// Gets small documents over https only, with deadlines.
struct HTTPSClient: Sendable {
    /// The certificate authorities that are trusted instead of the system's, as a PEM file.
    var caFile: String?
    /// How long it may take to establish a connection, including TLS.
    var connectDeadline: Duration = .seconds(3)
    /// How long the whole transfer may take.
    var deadline: Duration = .seconds(5)

    /// True after libcurl's initialization, which runs once per process and before any transfer.
    private static let isReady = reengagement_curl_global_init() == CURLE_OK

    /// The most redirects of one transfer, more than a sensible server uses.
    private static let mostRedirects = 3

    /// Gets the decompressed body of a response with status 200 and at most `limit` bytes.
    ///
    /// A redirect is followed only to another path of the same host and port, since no other server may provide keys.
    func get(_ url: String, atMost limit: Int, isStopped: @escaping StopCheck) throws(KeyError) -> [UInt8] {
        let end = ContinuousClock.now + deadline
        var next = url
        for _ in 0...Self.mostRedirects {
            var client = self
            // libcurl takes 0 for no deadline.
            client.deadline = max(ContinuousClock.now.duration(to: end), .milliseconds(1))
            switch try client.answer(next, atMost: limit, isStopped: isStopped) {
            case .body(let body): return body
            case .redirect(let target):
                guard let old = URLParts(next), let new = URLParts(target), new.scheme == "https", !new.hasCredentials,
                    old.host == new.host, old.port == new.port
                else {
                    throw KeyError("the response is a redirect to another server, which is not followed")
                }
                next = target
            }
        }
        throw KeyError("the server responds with one redirect after another")
    }

    private enum Answer {
        case body([UInt8])
        case redirect(String)
    }

    private func answer(_ url: String, atMost limit: Int, isStopped: @escaping StopCheck) throws(KeyError) -> Answer {
        guard Self.isReady, let handle = curl_easy_init() else { throw KeyError("libcurl does not start") }
        // libcurl may leave its errors in OpenSSL's queue.
        defer { OpenSSLErrors.clear() }
        defer { curl_easy_cleanup(handle) }
        let transfer = Transfer(limit: limit, stopCheck: isStopped)
        let (code, detail) = withExtendedLifetime(transfer) { perform(handle, url: url, transfer: transfer) }
        guard !transfer.isTooLong else { throw KeyError("the response has more than \(limit) bytes") }
        guard code == CURLE_OK else {
            throw KeyError(detail.isEmpty ? String(cString: curl_easy_strerror(code)) : detail)
        }
        var status = 0
        guard reengagement_curl_response_code(handle, &status) == CURLE_OK, status == 200 else {
            if let target = reengagement_curl_redirect_url(handle) { return .redirect(String(cString: target)) }
            throw KeyError("the response has the status \(status), not 200")
        }
        return .body(transfer.body)
    }

    private func perform(_ handle: UnsafeMutableRawPointer, url: String, transfer: Transfer) -> (CURLcode, String) {
        withUnsafeTemporaryAllocation(of: CChar.self, capacity: Int(CURL_ERROR_SIZE)) { buffer in
            buffer.initialize(repeating: 0)
            guard let detail = buffer.baseAddress else { return (CURLE_OUT_OF_MEMORY, "") }
            let code = configure(handle, url: url, transfer: transfer, detail: detail)
            let result = code == CURLE_OK ? curl_easy_perform(handle) : code
            // The buffer is valid only in this closure, while the handle exists longer.
            _ = reengagement_curl_set_error_buffer(handle, nil)
            return (result, String(cString: detail))
        }
    }

    /// Sets every option, since none may be missing, and returns the code of the first that was refused.
    private func configure(
        _ handle: UnsafeMutableRawPointer, url: String, transfer: Transfer, detail: UnsafeMutablePointer<CChar>
    ) -> CURLcode {
        let context = Unmanaged.passUnretained(transfer).toOpaque()
        let codes = [
            reengagement_curl_set_error_buffer(handle, detail),
            reengagement_curl_set_write(handle, writeBody, context),
            reengagement_curl_set_progress(handle, checkStop, context),
            set(handle, CURLOPT_URL, url),
            set(handle, CURLOPT_USERAGENT, "reengagement-api"),
            set(handle, CURLOPT_PROTOCOLS_STR, "https"),
            // get(_:atMost:isStopped:) checks the target of a redirect before it follows it.
            set(handle, CURLOPT_FOLLOWLOCATION, 0),
            // The limit applies to the decompressed body.
            set(handle, CURLOPT_ACCEPT_ENCODING, "gzip, deflate"),
            set(handle, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2),
            set(handle, CURLOPT_SSL_VERIFYPEER, 1),
            set(handle, CURLOPT_SSL_VERIFYHOST, 2),
            // Signals belong to the process, not to a library in one of its threads.
            set(handle, CURLOPT_NOSIGNAL, 1),
            // A name server that does not respond must not prolong the transfer beyond its deadline.
            set(handle, CURLOPT_QUICK_EXIT, 1),
            set(handle, CURLOPT_CONNECTTIMEOUT_MS, connectDeadline.milliseconds),
            set(handle, CURLOPT_TIMEOUT_MS, deadline.milliseconds),
        ]
        return (codes + trustCodes(handle)).first { $0 != CURLE_OK } ?? CURLE_OK
    }

    private func trustCodes(_ handle: UnsafeMutableRawPointer) -> [CURLcode] {
        guard let caFile else { return [] }
        // Without the second option, Debian's libcurl also trusts the system's directory.
        return [
            set(handle, CURLOPT_CAINFO, caFile),
            reengagement_curl_set_text(handle, CURLOPT_CAPATH, nil),
        ]
    }

    private func set(_ handle: UnsafeMutableRawPointer, _ option: CURLoption, _ value: Int) -> CURLcode {
        reengagement_curl_set_long(handle, option, value)
    }

    private func set(_ handle: UnsafeMutableRawPointer, _ option: CURLoption, _ value: String) -> CURLcode {
        reengagement_curl_set_text(handle, option, value)
    }
}

extension Duration {
    fileprivate var milliseconds: Int {
        Int(components.seconds) * 1000 + Int(components.attoseconds / 1_000_000_000_000_000)
    }
}

/// The state of one transfer for its callbacks. Only the thread that performs it uses it.
private final class Transfer {
    private let limit: Int
    private let stopCheck: StopCheck
    private(set) var body: [UInt8] = []
    private(set) var isTooLong = false

    init(limit: Int, stopCheck: @escaping StopCheck) {
        self.limit = limit
        self.stopCheck = stopCheck
    }

    var isStopped: Bool { stopCheck() }

    /// Appends a piece of the body. Returns false if the body is longer than the limit.
    func append(_ piece: UnsafeRawBufferPointer) -> Bool {
        isTooLong = isTooLong || body.count + piece.count > limit
        if !isTooLong { body.append(contentsOf: piece) }
        return !isTooLong
    }
}

/// libcurl's CURLOPT_WRITEFUNCTION. Any return value except the given count ends the transfer.
private func writeBody(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let data, let context else { return 0 }
    let transfer = Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue()
    // For an empty body, libcurl calls this with 0 bytes. The size is always 1.
    return transfer.append(UnsafeRawBufferPointer(start: data, count: size * count)) ? size * count : -1
}

/// libcurl's CURLOPT_XFERINFOFUNCTION. Any return value except 0 ends the transfer.
private func checkStop(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> CInt {
    guard let context else { return 1 }
    return Unmanaged<Transfer>.fromOpaque(context).takeUnretainedValue().isStopped ? 1 : 0
}

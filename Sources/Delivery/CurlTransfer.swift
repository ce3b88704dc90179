import CCurl
import Glibc

/// A check that is repeated during a transfer. True ends the transfer.
public typealias StopCheck = @Sendable () -> Bool

/// One transfer by libcurl. It owns the handle, and is the state of its callbacks.
///
/// Only the thread that performs it uses it.
final class CurlTransfer {
    /// True after libcurl's initialization, which runs once per process and before any transfer.
    private static let isReady = reengagement_curl_global_init() == CURLE_OK

    private let handle: UnsafeMutableRawPointer
    private var lists: [UnsafeMutablePointer<curl_slist>] = []
    private var firstError = CURLE_OK
    private let stopCheck: StopCheck
    private let mayConnect: (ConnectedAddress) -> Bool
    /// The most bytes of a response. They are not kept.
    private let mostReceived: Int
    private var received = 0
    private var upload: [UInt8] = []
    private var uploaded = 0
    private var sockets: Set<CInt> = []
    /// Receives the lines of the dialogue with a mail relay.
    private var dialogue: ((DialogueLine) -> Void)?

    /// True if the name led to an address that the transfer may not connect to.
    private(set) var wasAddressRefused = false
    /// True if the response was longer than it is read.
    var wasCutOff: Bool { received > mostReceived }
    /// True if libcurl has read the end of the upload.
    private(set) var isUploaded = false

    /// A line of a dialogue.
    enum DialogueLine {
        case command([UInt8])
        case reply([UInt8])
    }

    /// - Parameter mayConnect: decides about each address, just before it is connected to.
    /// - Returns: nil if libcurl does not start.
    init?(
        mostReceived: Int = 0, isStopped: @escaping StopCheck,
        mayConnect: @escaping (ConnectedAddress) -> Bool
    ) {
        guard Self.isReady, let handle = curl_easy_init() else { return nil }
        self.handle = handle
        (self.mostReceived, stopCheck, self.mayConnect) = (mostReceived, isStopped, mayConnect)
        // Signals belong to the process, not to a library in one of its threads.
        set(CURLOPT_NOSIGNAL, 1)
        // All sockets are closed within the transfer, since their callbacks use this object.
        set(CURLOPT_FORBID_REUSE, 1)
        // A name server that does not respond must not prolong the transfer beyond its deadline.
        set(CURLOPT_QUICK_EXIT, 1)
        // No proxy, whatever the environment says: it would hide the address that is connected to.
        set(CURLOPT_PROXY, "")
        set(CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2)
        set(CURLOPT_SSL_VERIFYPEER, 1)
        set(CURLOPT_SSL_VERIFYHOST, 2)
    }

    deinit {
        curl_easy_cleanup(handle)
        for list in lists { curl_slist_free_all(list) }
    }

    // MARK: Options. The first one that libcurl refuses is the result of the transfer.

    func set(_ option: CURLoption, _ value: Int) { note(reengagement_curl_set_long(handle, option, value)) }

    func set(_ option: CURLoption, _ value: String) { note(reengagement_curl_set_text(handle, option, value)) }

    func set(_ option: CURLoption, _ duration: Duration) {
        // libcurl takes 0 for no deadline.
        set(option, max(1, Int(duration / .milliseconds(1))))
    }

    func set(_ option: CURLoption, _ items: [String]) {
        var list: UnsafeMutablePointer<curl_slist>?
        for item in items {
            guard let longer = curl_slist_append(list, item) else {
                curl_slist_free_all(list)
                return note(CURLE_OUT_OF_MEMORY)
            }
            list = longer
        }
        guard let list else { return }
        lists.append(list)
        note(reengagement_curl_set_list(handle, option, list))
    }

    /// Makes it a POST with this body.
    func setPost(_ body: [UInt8]) { note(reengagement_curl_set_post(handle, body, body.count)) }

    /// Makes it an upload of these bytes, whose dialogue is reported line by line.
    func setUpload(_ bytes: [UInt8], dialogue: @escaping (DialogueLine) -> Void) {
        (upload, self.dialogue) = (bytes, dialogue)
        set(CURLOPT_UPLOAD, 1)
    }

    private func note(_ code: CURLcode) {
        if firstError == CURLE_OK { firstError = code }
    }

    // MARK: The transfer

    func perform() -> CURLcode {
        withExtendedLifetime(self) {
            let context = Unmanaged.passUnretained(self).toOpaque()
            note(reengagement_curl_set_write(handle, receive, context))
            note(reengagement_curl_set_progress(handle, checkStop, context))
            note(reengagement_curl_set_sockets(handle, openSocket, closeSocket, context))
            if dialogue != nil {
                note(reengagement_curl_set_read(handle, provideUpload, context))
                note(reengagement_curl_set_debug(handle, listen, context))
            }
            return firstError == CURLE_OK ? curl_easy_perform(handle) : firstError
        }
    }

    /// The status of the last response. Nil if none came.
    var status: Int? {
        var status = 0
        guard reengagement_curl_response_code(handle, &status) == CURLE_OK, status > 0 else { return nil }
        return status
    }

    // MARK: For the callbacks

    /// True if the transfer is to end. Its sockets are shut down then: libcurl would take leave of a mail relay, and wait
    /// for the relay's answer.
    fileprivate var isStopped: Bool {
        guard stopCheck() else { return false }
        for descriptor in sockets { shutdown(descriptor, CInt(SHUT_RDWR)) }
        return true
    }

    /// Opens a socket. -1 (CURL_SOCKET_BAD) if the address is refused, or the system has none.
    fileprivate func open(_ address: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        guard admits(ConnectedAddress(address)) else { return -1 }
        let wanted = address.pointee
        let descriptor = socket(wanted.family, wanted.socktype | CInt(SOCK_CLOEXEC.rawValue), wanted.`protocol`)
        if descriptor >= 0 { sockets.insert(descriptor) }
        return descriptor
    }

    fileprivate func close(_ descriptor: curl_socket_t) -> CInt {
        sockets.remove(descriptor)
        return Glibc.close(descriptor)
    }

    /// Counts received bytes. Returns false if there are too many.
    fileprivate func take(_ count: Int) -> Bool {
        received += count
        return !wasCutOff
    }

    private func admits(_ address: ConnectedAddress?) -> Bool {
        // After one refused address, no other address of the same name is tried.
        guard !wasAddressRefused, let address, mayConnect(address) else {
            wasAddressRefused = true
            return false
        }
        return true
    }

    /// Copies the next bytes of the upload. 0 at its end.
    fileprivate func provide(_ target: UnsafeMutableRawBufferPointer) -> Int {
        let piece = upload[uploaded...].prefix(target.count)
        target.copyBytes(from: piece)
        uploaded += piece.count
        isUploaded = piece.isEmpty
        return piece.count
    }

    fileprivate func report(_ line: DialogueLine) { dialogue?(line) }
}

private func transfer(_ context: UnsafeMutableRawPointer) -> CurlTransfer {
    Unmanaged<CurlTransfer>.fromOpaque(context).takeUnretainedValue()
}

/// libcurl's CURLOPT_WRITEFUNCTION. Any return value except the given count ends the transfer.
private func receive(
    _ data: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context else { return -1 }
    return transfer(context).take(size * count) ? size * count : -1
}

/// libcurl's CURLOPT_XFERINFOFUNCTION. Any return value except 0 ends the transfer.
private func checkStop(
    _ context: UnsafeMutableRawPointer?, _: curl_off_t, _: curl_off_t, _: curl_off_t, _: curl_off_t
) -> CInt {
    guard let context else { return 1 }
    return transfer(context).isStopped ? 1 : 0
}

/// libcurl's CURLOPT_OPENSOCKETFUNCTION.
private func openSocket(
    _ context: UnsafeMutableRawPointer?, _: curlsocktype, _ address: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let context, let address else { return -1 }
    return transfer(context).open(address)
}

/// libcurl's CURLOPT_CLOSESOCKETFUNCTION.
private func closeSocket(_ context: UnsafeMutableRawPointer?, _ descriptor: curl_socket_t) -> CInt {
    guard let context else { return Glibc.close(descriptor) }
    return transfer(context).close(descriptor)
}

/// libcurl's CURLOPT_READFUNCTION.
private func provideUpload(
    _ buffer: UnsafeMutablePointer<CChar>?, _ size: Int, _ count: Int, _ context: UnsafeMutableRawPointer?
) -> Int {
    guard let context, let buffer else { return 0 }
    return transfer(context).provide(UnsafeMutableRawBufferPointer(start: buffer, count: size * count))
}

/// libcurl's CURLOPT_DEBUGFUNCTION.
private func listen(
    _: UnsafeMutableRawPointer?, _ kind: curl_infotype, _ data: UnsafeMutablePointer<CChar>?, _ size: Int,
    _ context: UnsafeMutableRawPointer?
) -> CInt {
    guard let context, let data else { return 0 }
    let bytes = { Array(UnsafeRawBufferPointer(start: data, count: size)) }
    switch kind {
    case CURLINFO_HEADER_OUT: transfer(context).report(.command(bytes()))
    case CURLINFO_HEADER_IN: transfer(context).report(.reply(bytes()))
    default: break
    }
    return 0
}

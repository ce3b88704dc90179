internal import CCurl

/// The reason why a request to a webhook has failed, in the contract's spelling.
enum WebhookFault: String, Sendable {
    case dns
    case refused
    case tls
    case timeout
    /// The name leads to an address that is not globally reachable, or to another port.
    case notPublic = "not_public"
    /// The response's status is not 2xx.
    case status
}

/// The result of a request to a webhook.
struct WebhookAnswer: Equatable, Sendable {
    /// Nil if no answer came.
    let status: Int?
    /// Nil if the status is 2xx.
    let fault: WebhookFault?
    let duration: Duration

    var milliseconds: Int { Int(duration / .milliseconds(1)) }
}

/// Posts messages to the receivers of webhooks.
struct WebhookClient: Sendable {
    /// Whether any address and port may be reached, with http too (`WEBHOOK_ALLOW_PRIVATE`).
    let allowsPrivate: Bool
    /// How long a request may take in all.
    var deadline: Duration = .seconds(10)

    /// The bytes of a response that are read. They are thrown away.
    private static let mostReceived = 64 << 10

    func post(
        _ url: String, headers: [String], body: [UInt8], isStopped: @escaping StopCheck
    ) -> WebhookAnswer {
        let start = ContinuousClock.now
        let allowsPrivate = allowsPrivate
        guard
            let transfer = CurlTransfer(
                mostReceived: Self.mostReceived, isStopped: isStopped,
                mayConnect: { allowsPrivate || $0.isPublicReceiver })
        else { return WebhookAnswer(status: nil, fault: .refused, duration: .zero) }
        transfer.set(CURLOPT_URL, url)
        transfer.set(CURLOPT_PROTOCOLS_STR, allowsPrivate ? "https,http" : "https")
        transfer.set(CURLOPT_FOLLOWLOCATION, 0)
        transfer.set(CURLOPT_HTTP_VERSION, Int(CURL_HTTP_VERSION_1_1))
        transfer.set(CURLOPT_USERAGENT, "reengagement-api")
        transfer.set(CURLOPT_HTTPHEADER, headers)
        transfer.set(CURLOPT_TIMEOUT_MS, deadline)
        transfer.setPost(body)
        let code = transfer.perform()
        let (status, fault) = Self.result(code, transfer)
        return WebhookAnswer(status: status, fault: fault, duration: start.duration(to: .now))
    }

    private static func result(_ code: CURLcode, _ transfer: CurlTransfer) -> (Int?, WebhookFault?) {
        // A response that is too long ends the transfer with an error, and its status counts.
        if code == CURLE_OK || transfer.wasCutOff, let status = transfer.status {
            return (status, (200...299).contains(status) ? nil : .status)
        }
        if transfer.wasAddressRefused { return (nil, .notPublic) }
        return (nil, fault(code))
    }

    private static func fault(_ code: CURLcode) -> WebhookFault {
        switch code {
        case CURLE_COULDNT_RESOLVE_HOST: .dns
        case CURLE_OPERATION_TIMEDOUT, CURLE_ABORTED_BY_CALLBACK: .timeout
        case CURLE_SSL_CONNECT_ERROR, CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_ENGINE_NOTFOUND,
            CURLE_SSL_ENGINE_SETFAILED, CURLE_SSL_CERTPROBLEM, CURLE_SSL_CIPHER, CURLE_SSL_ENGINE_INITFAILED,
            CURLE_SSL_CACERT_BADFILE, CURLE_SSL_SHUTDOWN_FAILED, CURLE_SSL_CRL_BADFILE, CURLE_SSL_ISSUER_ERROR,
            CURLE_SSL_PINNEDPUBKEYNOTMATCH, CURLE_SSL_INVALIDCERTSTATUS, CURLE_SSL_CLIENTCERT:
            .tls
        default: .refused
        }
    }
}

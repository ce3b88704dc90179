import API

/// A request in two stages: what needs no waiting, and the rest, which takes a thread that may wait.
extension Pipeline {
    /// A request whose rest is to be done, as far as it has come.
    struct Pending {
        fileprivate let incoming: Incoming
        fileprivate let started: ContinuousClock.Instant
        fileprivate let record: Record
        fileprivate let rest: Rest
        /// Whether nothing more is read of the request.
        let isRead: Bool
        fileprivate let since = ContinuousClock.now

        /// What it takes of the memory while it waits, about; of one that is not read, libfcgi holds all of its headers.
        var size: Int { incoming.size + (isRead ? 0 : 128 << 10) }

        /// What is known of it after it has waited until now.
        fileprivate var recordNow: Record {
            var record = record
            record.timings.pool += since.duration(to: .now)
            return record
        }
    }

    /// Answers a request by way of `send`, then tells the hooks; for whoever may wait all the time.
    func serve(_ incoming: Incoming, started: ContinuousClock.Instant, send: (Response) -> Void) {
        guard let pending = begin(incoming, started: started, send: send) else { return }
        finish(pending, send: send)
    }

    /// Answers a request where that takes no waiting, neither for the database nor for a key; otherwise returns it.
    func begin(_ incoming: Incoming, started: ContinuousClock.Instant, send: (Response) -> Void) -> Pending? {
        var record = Record()
        var pending: (isRead: Bool, rest: Rest)?
        let response = respond(incoming, &record) { record in
            switch try answer(incoming, &record) {
            case .answer(let response): return response
            case .rest(let isRead, let rest):
                pending = (isRead, rest)
                return nil
            }
        }
        if let response { conclude(response, incoming, record, started, send) }
        return pending.map {
            Pending(incoming: incoming, started: started, record: record, rest: $0.rest, isRead: $0.isRead)
        }
    }

    /// Does the rest of a request, and answers it.
    func finish(_ pending: Pending, send: (Response) -> Void) {
        var record = pending.recordNow
        guard let response = respond(pending.incoming, &record, with: pending.rest) else { return }
        conclude(response, pending.incoming, record, pending.started, send)
    }

    /// Answers a request that nobody had time for.
    func refuse(_ pending: Pending, send: (Response) -> Void) {
        let response = Patience.problem.response(requestID: pending.incoming.requestID)
        conclude(response, pending.incoming, pending.recordNow, pending.started, send)
    }

    /// Sends an answer, then tells the hooks.
    private func conclude(
        _ answer: Response, _ incoming: Incoming, _ record: Record, _ started: ContinuousClock.Instant,
        _ send: (Response) -> Void
    ) {
        var response = audited(answer, incoming, record)
        response.headers += [
            Header("X-Request-Id", incoming.requestID), Header("Cache-Control", "no-store"),
            // For nginx's log, and taken out there (nginx/snippets/logging/request-id.conf).
            Header("X-Server-Request-Id", incoming.serverRequestID),
            Header("Server-Timing", record.timings.header),
        ]
        response.headers += cors.headers(origin: incoming.origin)
        send(response)
        if let attempt = RefusedAttempt(response, incoming, record) { refused(attempt) }
        let observation = Observation(
            requestID: incoming.requestID, serverRequestID: incoming.serverRequestID, method: incoming.request.method,
            route: record.route, principal: record.principal, status: response.status,
            duration: started.duration(to: .now),
            timings: record.timings, received: record.received,
            bytes: incoming.request.method == "HEAD" ? 0 : response.body.count,
            databaseError: record.databaseError, statement: record.statement)
        for hook in afterAnswer { hook(observation) }
    }
}

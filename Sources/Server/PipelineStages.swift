import API

/// A request has two stages. The first one never waits. The rest needs a thread that may wait.
extension Pipeline {
    /// A request after its first stage.
    struct Pending {
        fileprivate let incoming: Incoming
        fileprivate let started: ContinuousClock.Instant
        fileprivate let record: RequestRecord
        fileprivate let rest: Rest
        /// True if no more of the request has to be read.
        let isRead: Bool
        fileprivate let since = ContinuousClock.now

        /// An estimate of its memory in bytes while it waits. libfcgi stores all headers of a request that is unread.
        var size: Int { incoming.size + (isRead ? 0 : 128 << 10) }

        /// The record, with the time that the request has waited so far.
        fileprivate var recordNow: RequestRecord {
            var record = record
            record.timings.pool += since.duration(to: .now)
            return record
        }
    }

    /// Runs both stages of a request, on a thread that may wait.
    func serve(_ incoming: Incoming, started: ContinuousClock.Instant, send: (Response) -> Void) {
        guard let pending = begin(incoming, started: started, send: send) else { return }
        finish(pending, send: send)
    }

    /// Runs the first stage. Returns the rest of the work, or nil if the stage has sent a response.
    func begin(_ incoming: Incoming, started: ContinuousClock.Instant, send: (Response) -> Void) -> Pending? {
        var record = RequestRecord()
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

    /// Runs the second stage, and sends the response.
    func finish(_ pending: Pending, send: (Response) -> Void) {
        var record = pending.recordNow
        guard let response = respond(pending.incoming, &record, with: pending.rest) else { return }
        conclude(response, pending.incoming, record, pending.started, send)
    }

    /// Sends a 503 for a request that waited too long for a thread.
    func refuse(_ pending: Pending, send: (Response) -> Void) {
        let response = Problem.serverBusy.response(requestID: pending.incoming.requestID)
        conclude(response, pending.incoming, pending.recordNow, pending.started, send)
    }

    /// Records a response in the audit, sends it, and then reports it.
    private func conclude(
        _ answer: Response, _ incoming: Incoming, _ record: RequestRecord, _ started: ContinuousClock.Instant,
        _ send: (Response) -> Void
    ) {
        var response = recorded(answer, incoming, record)
        response.headers += [
            Header("X-Request-Id", incoming.requestID), Header("Cache-Control", "no-store"),
            // nginx logs this header and removes it (nginx/snippets/logging/request-id.conf).
            Header("X-Server-Request-Id", incoming.serverRequestID),
            Header("Server-Timing", record.timings.header),
        ]
        response.headers += cors.headers(origin: incoming.origin)
        send(response)
        if let attempt = RefusedAttempt(response, incoming, record) { hooks.report(.refused(attempt)) }
        let isHead = incoming.request.method == "HEAD"
        let observation = Observation(
            requestID: incoming.requestID, serverRequestID: incoming.serverRequestID, method: incoming.request.method,
            route: record.route, principal: record.claims, status: response.status,
            duration: started.duration(to: .now), timings: record.timings, received: record.received,
            bytes: isHead ? 0 : response.body.count, databaseError: record.databaseError, statement: record.statement)
        hooks.report(.answered(observation))
    }

    /// The response, or a 503 if the audit could not record it. No patient's data are sent without a record.
    private func recorded(_ response: Response, _ incoming: Incoming, _ record: RequestRecord) -> Response {
        if response.stream != nil, let claims = record.claims, !hooks.isFirstOpening(claims) { return response }
        guard let entry = AuditEntry(response, incoming, record), !hooks.record(entry), response.status < 300 else {
            return response
        }
        if response.stream != nil, let claims = record.claims { hooks.forgetOpening(claims) }
        return Problem.unrecorded.response(requestID: incoming.requestID)
    }
}

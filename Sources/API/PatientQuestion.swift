import JSON

/// The parameters of a patient list: its filters, its order and its page (definitions.md section 5).
struct PatientQuestion: Sendable {
    enum RiskLevel: String, Choice {
        case critical, high, medium, low, engaged, all
    }

    enum EngagementStatus: String, Choice {
        case active, stale, dormant
    }

    enum RiskTier: String, Choice {
        case high, medium, low
    }

    enum Order: String, Choice {
        case priority, name
        case lastContact = "last_contact"
    }

    enum Addition: String, Choice {
        case notes
    }

    let organization: String
    let riskLevel: RiskLevel
    let engagementStatus: EngagementStatus?
    let actionPriority: Int?
    let riskTier: RiskTier?
    /// A part of a name, an e-mail or a phone number. It is patient data, so it must not reach a log or the audit.
    let text: String?
    /// The requested order. Nil if the request has none, which means ``Order/priority``.
    let sort: Order?
    let include: Addition?
    let limit: Int
    let cursor: Cursor?

    private static let textLength = 3...100

    /// - Throws: a 422 that lists every error.
    init(_ call: Call, _ values: consuming some OptionalValues) throws(Problem) {
        organization = call.organization
        riskLevel = values.choice("risk_level") ?? .all
        engagementStatus = values.choice("engagement_status")
        actionPriority = values.number("action_priority", in: 1...4)
        riskTier = values.choice("risk_tier")
        text = Self.text(&values)
        sort = values.choice("sort")
        include = values.choice("include")
        limit = values.number("limit", in: 1...200) ?? 50
        let given = values.text("cursor")
        cursor = given.flatMap(Cursor.init)
        if given != nil, cursor == nil {
            values.errors.add("cursor", Cursor.notOurs)
        }
        try values.errors.check()
        guard let cursor, try !isOurs(cursor) else { return }
        values.errors.add("cursor", "belongs to another organization, filter or sort; start again without it")
        try values.errors.check()
    }

    /// The parameter `q` without leading and trailing blanks.
    private static func text(_ values: inout some OptionalValues) -> String? {
        guard let given = values.text("q") else { return nil }
        // By code points, because a Swift Character joins a blank with an accent after it.
        let trimmed = given.unicodeScalars.drop { $0 == " " }.reversed().drop { $0 == " " }.reversed()
        guard textLength.contains(trimmed.count) else {
            let range = "\(textLength.lowerBound) to \(textLength.upperBound)"
            values.errors.add("q", "must be \(range) characters, without leading and trailing blanks")
            return nil
        }
        return String(String.UnicodeScalarView(trimmed))
    }

    var order: Order { sort ?? .priority }

    private func isOurs(_ cursor: Cursor) throws(Problem) -> Bool {
        let isOfOrder =
            switch cursor.place {
            case .rank: order != .name
            case .name: order == .name
            case .alert: false
            }
        let digest = try digest()
        return isOfOrder && cursor.digest.utf8.elementsEqual(digest.utf8)
    }

    /// Identifies the list that a cursor belongs to. `limit` and `include` may differ between pages.
    func digest() throws(Problem) -> String {
        try Cursor.digest(of: [
            organization, riskLevel.rawValue, engagementStatus?.rawValue, actionPriority.map(String.init),
            riskTier?.rawValue, text, order.rawValue,
        ])
    }

    /// The parameters of `re.prioritized_patients`. One row beyond `limit` shows that there is another page.
    var parameters: [String?] {
        let level = riskLevel == .all ? nil : riskLevel.rawValue
        return [
            organization, level, engagementStatus?.rawValue, actionPriority.map(String.init), riskTier?.rawValue, text,
            order.rawValue, include == .notes ? "true" : "false", String(limit + 1),
        ] + place
    }

    private var place: [String?] {
        switch cursor?.place {
        case nil, .alert: [nil, nil, nil, nil, nil]
        case .rank(let priority, let score, let days, let id): [String(priority), String(score), String(days), nil, id]
        case .name(let name, let id): [nil, nil, nil, name, id]
        }
    }

    /// The parameters for the audit, without the searched text.
    var filter: [(name: StaticString, value: String)] {
        var filter: [(name: StaticString, value: String)] = [("risk_level", riskLevel.rawValue)]
        if let engagementStatus { filter.append(("engagement_status", engagementStatus.rawValue)) }
        if let actionPriority { filter.append(("action_priority", String(actionPriority))) }
        if let riskTier { filter.append(("risk_tier", riskTier.rawValue)) }
        if text != nil { filter.append(("searched", "yes")) }
        if let sort { filter.append(("sort", sort.rawValue)) }
        if let include { filter.append(("include", include.rawValue)) }
        return filter + [("limit", String(limit)), ("continued", cursor == nil ? "no" : "yes")]
    }

    /// Writes the members of `filters_applied`. Members that the guide does not have are written only if requested.
    func writeFilters(_ writer: inout JSONWriter) {
        writer.member("risk_level", string: riskLevel.rawValue)
        writer.member("limit", number: limit)
        if let engagementStatus { writer.member("engagement_status", string: engagementStatus.rawValue) }
        if let actionPriority { writer.member("action_priority", number: actionPriority) }
        if let riskTier { writer.member("risk_tier", string: riskTier.rawValue) }
        if let text { writer.member("q", string: text) }
        if let sort { writer.member("sort", string: sort.rawValue) }
        if let include { writer.member("include", string: include.rawValue) }
    }
}

import JSON
import PostgreSQL

/// The columns of an alert: a critical patient, and who has acknowledged that.
struct AlertColumns {
    let patient: Columns
    /// All are NULL if the alert is open.
    let acknowledged: Columns

    /// - Parameter previous: the group of columns before these.
    init(after previous: Columns) {
        patient = Columns(
            [
                .text("id"), .text("name"), .text("phone"), .text("email"), .text("risk_level"),
                .number("risk_score"), .text("critical_since"), .number("days_since_last_contact"),
                .text("recommended_action"), .number("action_priority"),
            ], after: previous)
        acknowledged = Columns(
            [.text("by"), .text("at"), .text("until"), .text("note")], prefix: "acknowledged_", after: patient)
    }

    var selected: String { acknowledged.selected }

    /// Writes the members of an alert.
    func write(_ row: Row, _ writer: inout JSONWriter) {
        writer.members(patient, of: row)
        if row.isNull(acknowledged.first) {
            writer.member("acknowledged", string: nil)
        } else {
            writer.object("acknowledged") { $0.members(acknowledged, of: row) }
        }
    }
}

/// The fields of a patient in the prioritized list. The detail has them too.
let patientFields: [Field] = [
    .text("id"), .text("name"), .text("phone"), .text("email"), .text("risk_level"), .number("risk_score"),
    .number("days_since_last_contact"), .text("last_appointment_date"), .text("next_scheduled_appointment"),
    .text("recommended_action"), .number("action_priority"), .number("previous_response_rate"),
    .number("total_lifetime_appointments"), .number("missed_appointments_last_90d"), .text("engagement_status"),
    .text("risk_tier"), .number("attendance_rate_percent"), .number("lifetime_value"), .text("critical_since"),
]

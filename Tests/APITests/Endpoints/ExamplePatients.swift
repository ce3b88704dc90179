/// The patients of the contract's example clinic, as `re.prioritized_patients` returns them.
enum ExamplePatients {
    static let organization = "org_2abc123"
    static let timestamp = "2025-06-30T12:00:00Z"

    static let rows = patients.map { $0.merging(["timestamp": timestamp]) { value, _ in value } }

    private static let patients: [[String: String]] = [
        [
            "id": "patient_123", "name": "John Smith", "phone": "+61400000123", "email": "john.smith@example.com",
            "risk_level": "critical", "risk_score": "85", "days_since_last_contact": "47",
            "last_appointment_date": "2025-05-14T00:00:00Z",
            "recommended_action": "DORMANT: Re-engagement campaign needed", "action_priority": "1",
            "previous_response_rate": "0.0", "total_lifetime_appointments": "1", "missed_appointments_last_90d": "2",
            "engagement_status": "dormant", "risk_tier": "high", "attendance_rate_percent": "33.3",
            "lifetime_value": "140.0", "critical_since": "2025-06-28",
        ],
        [
            "id": "patient_456", "name": "Jane Doe", "phone": "+61400000456", "email": "jane.doe@example.com",
            "risk_level": "critical", "risk_score": "77", "days_since_last_contact": "52",
            "last_appointment_date": "2025-05-09T03:00:00Z",
            "recommended_action": "DORMANT: Re-engagement campaign needed", "action_priority": "1",
            "previous_response_rate": "0.0", "total_lifetime_appointments": "1", "missed_appointments_last_90d": "0",
            "engagement_status": "dormant", "risk_tier": "high", "attendance_rate_percent": "100.0",
            "lifetime_value": "95.5", "critical_since": "2025-06-23",
        ],
        [
            "id": "patient_501", "name": "Liam O'Brien", "phone": "+61400000501", "risk_level": "high",
            "risk_score": "61", "days_since_last_contact": "31", "last_appointment_date": "2025-05-30T13:59:59Z",
            "recommended_action": "DORMANT: Personal follow-up needed", "action_priority": "2",
            "total_lifetime_appointments": "1", "missed_appointments_last_90d": "0", "engagement_status": "dormant",
            "risk_tier": "medium", "attendance_rate_percent": "100.0", "lifetime_value": "140.0",
        ],
        [
            "id": "patient_502", "name": "Mei Chen", "phone": "+61400000502", "email": "mei@example.com",
            "risk_level": "critical", "risk_score": "77", "days_since_last_contact": "51",
            "recommended_action": "NEW: Invite to a first appointment", "action_priority": "4",
            "total_lifetime_appointments": "0", "missed_appointments_last_90d": "0", "engagement_status": "stale",
            "risk_tier": "high", "lifetime_value": "0.0", "critical_since": "2025-06-24",
        ],
        [
            "id": "patient_500", "name": "Ana Ōtaki", "email": "ana@example.com", "risk_level": "low",
            "risk_score": "16", "days_since_last_contact": "10", "last_appointment_date": "2025-06-20T05:00:00Z",
            "next_scheduled_appointment": "2025-07-04T05:00:00Z",
            "recommended_action": "ENGAGED: Continue current care plan", "action_priority": "4",
            "previous_response_rate": "100.0", "total_lifetime_appointments": "1",
            "missed_appointments_last_90d": "0", "engagement_status": "active", "risk_tier": "low",
            "attendance_rate_percent": "100.0", "lifetime_value": "120.0",
        ],
        [
            "id": "patient_503", "name": "Noah Williams", "phone": "+61400000503", "email": "noah@example.com",
            "risk_level": "engaged", "risk_score": "0", "days_since_last_contact": "2",
            "last_appointment_date": "2025-06-16T14:00:00Z", "next_scheduled_appointment": "2025-07-10T00:00:00Z",
            "recommended_action": "ENGAGED: Continue current care plan", "action_priority": "4",
            "previous_response_rate": "100.0", "total_lifetime_appointments": "1",
            "missed_appointments_last_90d": "0", "engagement_status": "active", "risk_tier": "low",
            "attendance_rate_percent": "100.0", "lifetime_value": "140.0",
        ],
    ]
}

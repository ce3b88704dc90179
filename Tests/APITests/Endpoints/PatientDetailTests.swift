import JSON
import Testing

@testable import API

@Suite("The endpoint patients/{patient_id}")
struct PatientDetailTests {
    @Test("The query has the patient's id of the path, byte by byte")
    func query() throws {
        for id in ["patient_123", "..e\u{301}/...", " ", "' OR true; --", String(repeating: "\u{1F428}", count: 200)] {
            let query = try PatientDetail(call("limit=", patientID: id)).query
            #expect(query.parameters.map { $0.map { Array($0.utf8) } } == [Array("org_2abc123".utf8), Array(id.utf8)])
        }
    }

    @Test(
        "An id that the tables cannot contain is refused without a query",
        arguments: ["..", "../x", "a/./b", "a/..", "prioritized", String(repeating: "x", count: 201), ""])
    func impossible(id: String) {
        #expect(throws: Problem.self) { try PatientDetail(call("", patientID: id)) }
    }

    @Test("The response is the contract's example")
    func example() throws {
        let outreach =
            #"[{"outreach_id": "00000000-0000-4000-8000-000000000001", "method": "sms", "outcome": "no_response", "#
            + #""opened": false, "notes": "", "logged_by": "user_1", "logged_at": "2025-06-19T01:00:00Z"}]"#
        var row = ExamplePatients.rows[0].merging([
            "organization_id": ExamplePatients.organization, "treatment_notes": "Lower back; improving.",
            "created_at": "2024-11-04T02:00:00Z", "last_contact_day": "2025-05-14", "outreach": outreach,
        ]) { value, _ in value }
        row["timestamp"] = nil
        #expect(try PatientDetail(call(patientID: "patient_123")).answer([row]) == json(Self.expected))
    }

    @Test("Texts are escaped as JSON, and missing values are null")
    func texts() throws {
        let row = ["id": "\"\\/", "name": "Ana\n\u{1}Ōtaki 😀", "treatment_notes": "\u{7F}\t", "outreach": "[]"]
        let answer = try PatientDetail(call(patientID: "p")).answer([row]).object
        #expect(answer?["id"]?.text == "\"\\/")
        #expect(answer?["name"]?.text == "Ana\n\u{1}Ōtaki 😀")
        #expect(answer?["treatment_notes"]?.text == "\u{7F}\t")
        #expect(answer?["outreach"]?.array?.isEmpty == true)
        #expect(answer?["email"]?.isNull == true)
        #expect(answer?.members.count == 24)
    }

    @Test("An unknown patient is reported with 404")
    func noPatient() throws {
        let endpoint = try PatientDetail(call(patientID: "p"))
        #expect(problem { _ = try endpoint.respond(to: endpoint.result([])) }?.status == 404)
    }

    private static let expected = """
        {
          "id": "patient_123",
          "name": "John Smith",
          "phone": "+61400000123",
          "email": "john.smith@example.com",
          "risk_level": "critical",
          "risk_score": 85,
          "days_since_last_contact": 47,
          "last_appointment_date": "2025-05-14T00:00:00Z",
          "next_scheduled_appointment": null,
          "recommended_action": "DORMANT: Re-engagement campaign needed",
          "action_priority": 1,
          "previous_response_rate": 0.0,
          "total_lifetime_appointments": 1,
          "missed_appointments_last_90d": 2,
          "engagement_status": "dormant",
          "risk_tier": "high",
          "attendance_rate_percent": 33.3,
          "lifetime_value": 140.0,
          "critical_since": "2025-06-28",
          "organization_id": "org_2abc123",
          "treatment_notes": "Lower back; improving.",
          "created_at": "2024-11-04T02:00:00Z",
          "last_contact_day": "2025-05-14",
          "outreach": [
            {
              "outreach_id": "00000000-0000-4000-8000-000000000001",
              "method": "sms",
              "outcome": "no_response",
              "opened": false,
              "notes": "",
              "logged_by": "user_1",
              "logged_at": "2025-06-19T01:00:00Z"
            }
          ]
        }
        """
}

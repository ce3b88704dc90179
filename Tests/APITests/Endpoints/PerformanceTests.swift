import Testing

@testable import API

@Suite("The endpoint performance")
struct PerformanceTests {
    @Test(
        "Three timeframes are accepted, and the last 30 days are the default",
        arguments: [
            ("", "last_30_days"), ("timeframe=last_7_days", "last_7_days"), ("timeframe=last_30_days", "last_30_days"),
            ("timeframe=last_90_days&period=7d", "last_90_days"), ("Timeframe=x", "last_30_days"),
        ])
    func timeframe(query: String, timeframe: String) throws {
        #expect(try Performance(call(query)).query.parameters == ["org_2abc123", timeframe])
    }

    @Test(
        "An unknown timeframe is refused",
        arguments: [
            "timeframe=", "timeframe", "timeframe=last_60_days", "timeframe=LAST_7_DAYS", "timeframe=last_7_days+",
            "timeframe=last_7_days&timeframe=last_7_days", "timeframe=%FF", "timeframe=7",
        ])
    func refused(query: String) {
        #expect(errors(of: Performance.self, call(query)) == ["timeframe"])
    }

    @Test("The response is the contract's example")
    func example() throws {
        let row = [
            "outreach_attempts": "6", "successful_contacts": "2", "contact_success_rate": "33.3",
            "appointments_scheduled": "2", "conversion_rate": "100.0", "avg_days_to_reengage": "3.0", "sms_sent": "3",
            "sms_delivered": "1", "sms_responded": "0", "sms_response_rate": "0.0", "email_sent": "2",
            "email_opened": "2", "email_responded": "1", "email_response_rate": "50.0", "phone_attempted": "1",
            "phone_connected": "1", "phone_appointment_booked": "1", "phone_conversion_rate": "100.0",
            "industry_avg_contact_rate": "55.0", "industry_avg_conversion": "68.0", "our_performance": "below_average",
        ]
        #expect(try Performance(call()).answer([row]) == json(Self.expected))
    }

    @Test("A result without a row is an internal error")
    func noRow() throws {
        let endpoint = try Performance(call())
        #expect(throws: EndpointError.self) { try endpoint.respond(to: endpoint.result([])) }
    }

    private static let expected = """
        {
          "timeframe": "last_30_days",
          "reengagement_metrics": {
            "outreach_attempts": 6,
            "successful_contacts": 2,
            "contact_success_rate": 33.3,
            "appointments_scheduled": 2,
            "conversion_rate": 100.0,
            "avg_days_to_reengage": 3.0
          },
          "communication_channels": {
            "sms": {
              "sent": 3,
              "delivered": 1,
              "responded": 0,
              "response_rate": 0.0
            },
            "email": {
              "sent": 2,
              "opened": 2,
              "responded": 1,
              "response_rate": 50.0
            },
            "phone": {
              "attempted": 1,
              "connected": 1,
              "appointment_booked": 1,
              "conversion_rate": 100.0
            }
          },
          "benchmark_comparison": {
            "industry_avg_contact_rate": 55.0,
            "industry_avg_conversion": 68.0,
            "our_performance": "below_average"
          }
        }
        """
}

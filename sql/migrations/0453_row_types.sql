-- The rows of the list and of the trends, which the plain, the flat and the former functions return.
CREATE TYPE re.list_row AS (
    "timestamp" text, id text, name text, phone text, email text, risk_level text, risk_score integer,
    days_since_last_contact integer, last_appointment_date text, next_scheduled_appointment text,
    recommended_action text, action_priority integer, previous_response_rate numeric,
    total_lifetime_appointments integer, missed_appointments_last_90d integer, engagement_status text,
    risk_tier text, attendance_rate_percent numeric, lifetime_value numeric,
    treatment_notes text, total bigint, sort_name text
);
CREATE TYPE re.trends_row AS (
    date text, new_at_risk bigint, reengaged_successfully bigint, outreach_attempts bigint, appointments_scheduled bigint,
    critical bigint, high bigint, medium bigint, low bigint, engaged bigint,
    contact_success_rate numeric, conversion_rate numeric,
    sms_attempts bigint, sms_successes bigint, sms_success_rate numeric,
    email_attempts bigint, email_successes bigint, email_success_rate numeric,
    phone_attempts bigint, phone_successes bigint, phone_success_rate numeric,
    sms_success_rate_trend text, sms_change_pct numeric,
    email_success_rate_trend text, email_change_pct numeric,
    phone_success_rate_trend text, phone_change_pct numeric,
    critical_trend text, high_trend text, overall_improvement boolean
);

-- What the trends are computed from. One row is one day: its outreach, and how many patients are at least so many days
-- from their last contact on it. The outreach of the period before is one such row, without the rest.
CREATE TYPE re.trend_day AS (
    day date, new_at_risk bigint, reengaged bigint,
    days_0 bigint, days_7 bigint, days_14 bigint, days_30 bigint, days_45 bigint,
    sms bigint, email bigint, phone bigint, sms_successes bigint, email_successes bigint, phone_successes bigint,
    converted bigint, booked bigint
);

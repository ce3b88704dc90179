// The figures of docs/definitions.md that the pages' texts name. A test compares each with its function in the database.
export const figures = {
  low_risk_days: 7,
  medium_risk_days: 14,
  high_risk_days: 30,
  critical_risk_days: 45,
  alert_days: 14,
  counted_alert_days: 7,
  attendance_days: 90,
  shown_attempts: 20,
};

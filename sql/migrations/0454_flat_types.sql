-- What a patient's state adds to the counters (sign 1), or what it no longer adds (sign -1); flat/40_refresh.sql.
CREATE TYPE re.signed_state AS (
    sign integer, risk_group smallint, last_contact_day date, contact_days date[], missed_days date[],
    attempts re.attempt_summary[]
);

-- The patients that a search or filter has found (flat/76_list.sql), as parallel arrays.
CREATE TYPE re.found_patients AS (ids text[], risk_groups smallint[], contacts date[]);

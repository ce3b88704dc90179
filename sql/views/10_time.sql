-- Now, and the formats of instants and days in responses.

CREATE OR REPLACE FUNCTION re.now() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('reengagement.now', true), '')::timestamptz, now());

-- RFC 3339 in UTC. to_char truncates the fraction of the second and does not round.
CREATE OR REPLACE FUNCTION re.rfc3339(at timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"');

-- The first hours of year 1 in UTC are still year 0 west of it, which PostgreSQL would write as 0001 BC.
CREATE OR REPLACE FUNCTION re.iso_date(day date) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE
RETURN CASE WHEN day < '0001-01-01' THEN '0000' ELSE to_char(day, 'YYYY') END || to_char(day, '-MM-DD');

-- An instant before the day begins in any zone. It narrows an index scan. The caller compares the exact day too, since a
-- day's local midnight may occur twice or not at all. Compute it in a subquery with OFFSET 0: row-level security admits
-- only plain comparisons with a column to an index.
CREATE OR REPLACE FUNCTION re.before(day date) RETURNS timestamptz
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (day - 1)::timestamp AT TIME ZONE 'UTC';

CREATE OR REPLACE FUNCTION re.day_of(at timestamptz, time_zone text) RETURNS date
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (at AT TIME ZONE time_zone)::date;

-- The search index. re.patient_state stores a patient's folded name, folded e-mail address and the digits of the phone
-- number. For each three consecutive characters of them re.patient_search stores a number, a piece. A text that
-- contains another contains all its pieces, so the index of the pieces finds a few candidates, and the stored texts
-- decide. The organization is part of each number, so that one clinic's names do not slow down another clinic's search.
-- A piece is made of any characters, whatever the database's locale counts as letters.

CREATE OR REPLACE FUNCTION re.search_piece(organization text, kind bigint, piece text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended(piece, hashtextextended(organization, kind)) & 2147483647)::integer;

-- A text of more than 1000 characters has one piece, the empty one. Each search has its patient as a candidate.
CREATE OR REPLACE FUNCTION re.search_pieces(organization text, name text, email text, digits text) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT pieces.piece ORDER BY pieces.piece), '{}')
    FROM (VALUES (0::bigint, name), (0, email), (1, digits)) AS searched(kind, value)
    CROSS JOIN LATERAL (
        SELECT re.search_piece(organization, searched.kind, CASE
                WHEN char_length(searched.value) > 1000 THEN ''
                ELSE substr(searched.value, first, 3)
            END) AS piece
        FROM generate_series(1, CASE
            WHEN char_length(searched.value) > 1000 THEN 1
            ELSE char_length(searched.value) - 2
        END) AS first
    ) pieces;
END;

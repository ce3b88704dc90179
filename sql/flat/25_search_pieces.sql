-- Searching. A patient's name and e-mail address, folded, and the digits of the phone number are kept with the patient's
-- state, and of each three characters in a row a number is made, in re.patient_search. What holds a text holds the text's
-- pieces, so an index of the numbers gives a few candidates, of which the texts themselves then decide. The numbers are made
-- of the organization too, so that no clinic's names lengthen the search in another's; and of any characters alike,
-- whatever the database's locale takes for letters.

CREATE OR REPLACE FUNCTION re.search_piece(organization text, kind bigint, piece text) RETURNS integer
LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN (hashtextextended(piece, hashtextextended(organization, kind)) & 2147483647)::integer;

-- A text of more than 1000 characters counts as one that may hold anything: its only piece is the empty one.
CREATE OR REPLACE FUNCTION re.search_pieces(organization text, name text, email text, digits text) RETURNS integer[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE
BEGIN ATOMIC
    SELECT coalesce(array_agg(DISTINCT p.piece ORDER BY p.piece), '{}')
    FROM (VALUES (0::bigint, name), (0, email), (1, digits)) AS v(kind, value)
    CROSS JOIN LATERAL (SELECT char_length(v.value) AS length OFFSET 0) l
    CROSS JOIN LATERAL (
        SELECT re.search_piece(organization, v.kind, CASE WHEN l.length > 1000 THEN '' ELSE substr(v.value, i, 3) END) AS piece
        FROM generate_series(1, CASE WHEN l.length > 1000 THEN 1 ELSE l.length - 2 END) AS i
    ) p;
END;

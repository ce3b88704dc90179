-- What the list is asked and gives has changed, and the dispatcher is made of the plain twins.
DROP FUNCTION IF EXISTS re.prioritized_patients(text, text, integer, integer, integer, integer, text);
DROP FUNCTION IF EXISTS re.plain_prioritized_patients(text, text, integer, integer, integer, integer, text);
DROP FUNCTION IF EXISTS re.flat_prioritized_patients(text, text, integer, integer, integer, integer, text);
DELETE FROM re.migration WHERE file IN ('endpoints/prioritized_patients.sql', 'flat/80_answers.sql', 'flat/90_dispatch.sql');

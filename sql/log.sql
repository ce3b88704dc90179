-- Keeps what statements are given, notes and searched names, out of PostgreSQL's log, where slow statements are logged or
-- auto_explain is on. For the database, since nobody knows which login a session has: what is set for a role counts for its
-- own logins alone. It needs a superuser, or one who was granted it (GRANT SET ON PARAMETER); what this login may not say is told.
DO $$
DECLARE
    name text;
    statement text;
    refused text := '';
BEGIN
    FOREACH name IN ARRAY ARRAY['log_parameter_max_length', 'log_parameter_max_length_on_error']
        -- auto_explain's own has been there since 16.
        || CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN ARRAY['auto_explain.log_parameter_max_length'] END
    LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_db_role_setting s
            JOIN pg_database d ON d.oid = s.setdatabase AND d.datname = current_database()
            WHERE s.setrole = 0 AND name || '=0' = ANY (s.setconfig));
        statement := format('ALTER DATABASE %I SET %s = 0', current_database(), name);
        BEGIN
            EXECUTE statement;
            PERFORM set_config('re.done', current_setting('re.done') || format(E'set %s to 0, so that the log contains no values\n', name), true);
        EXCEPTION
            WHEN insufficient_privilege THEN
                IF current_setting(name, true) IS DISTINCT FROM '0' THEN
                    refused := refused || statement || '; ';
                END IF;
        END;
    END LOOP;
    PERFORM set_config('re.unsaid', refused, true);
END
$$;

-- Keeps the parameters of statements, which contain notes and searched names, out of PostgreSQL's log if slow
-- statements are logged or auto_explain is loaded. It is set for the database, because a setting of a role applies only
-- to its own logins, and a session's login is not known. It requires a superuser, or GRANT SET ON PARAMETER. A setting
-- that this login may not change is reported.
DO $$
DECLARE
    name text;
    statement text;
    refused text := '';
BEGIN
    FOREACH name IN ARRAY ARRAY['log_parameter_max_length', 'log_parameter_max_length_on_error']
        -- auto_explain's own setting exists since 16.
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

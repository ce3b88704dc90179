-- Since PostgreSQL 16 who makes a role is a member of it WITH ADMIN, and may by that neither use it (INHERIT) nor become it
-- (SET). Such a membership of the migrating login must not bind it: it would see nothing.
--
-- The two columns are not there before 16, where every membership is one: then the names mean the outer ones.
CREATE OR REPLACE FUNCTION re.is_bound() RETURNS boolean
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM (VALUES (true, true)) AS before_16(inherit_option, set_option)
        WHERE EXISTS (
            SELECT FROM pg_auth_members
            WHERE roleid = to_regrole('reengagement_bound') AND member = to_regrole(quote_ident(current_user))
                AND (inherit_option OR set_option)));
END $$;

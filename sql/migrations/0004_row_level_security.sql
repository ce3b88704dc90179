-- A direct member of reengagement_bound sees and writes only the organization that reengagement.organization names; any
-- other role with the right to a table sees all of it. Direct, because the migrating login is an indirect member (it may
-- become the server's role) and must not be bound. In a view the policies ask as the view's owner but current_user stays
-- the caller, so a view is bound exactly when its reader is.

CREATE FUNCTION re.is_bound() RETURNS boolean
-- plpgsql keeps its plan for the session; an SQL function would plan anew at each use, several times a statement.
LANGUAGE plpgsql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN EXISTS (
        SELECT FROM pg_auth_members
        WHERE roleid = to_regrole('reengagement_bound') AND member = to_regrole(quote_ident(current_user)));
END $$;

-- Sub-SELECTs, so that both are asked once a statement and not once a row. A setting that a transaction held before
-- reads as '' afterwards, hence nullif.
DO $$
DECLARE
    source regclass;
    condition text := $condition$(SELECT NOT re.is_bound())
        OR organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))$condition$;
BEGIN
    FOREACH source IN ARRAY ARRAY['public.organizations', 'public.patients', 'public.appointments',
        'public.conversations', 'public.outreach_log']::regclass[]
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', source);
        EXECUTE format('CREATE POLICY one_organization ON %s FOR ALL TO PUBLIC USING (%2$s) WITH CHECK (%2$s)', source,
            CASE source WHEN 'public.organizations'::regclass
                THEN replace(condition, 'organization_id', 'id') ELSE condition END);
    END LOOP;
END $$;

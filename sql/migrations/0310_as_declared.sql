-- From here on migrate notes what it has made (foundation/10_foundation.sql) and puts it back where it is gone. What the
-- migrations before this one have made, and somebody may have taken away meanwhile, is made once more, so that nothing is
-- noted that is wrong; views, functions and the triggers that mark are made anew with their files.

-- Where a trigger that marks is gone or off, changes have left no mark.
DO $$
BEGIN
    IF EXISTS (SELECT FROM re.organization_state) AND (
        SELECT count(*) FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
        WHERE p.pronamespace = 're'::regnamespace AND t.tgname LIKE ANY (ARRAY['mark\_%', 'check\_%'])
            AND t.tgenabled = CASE WHEN t.tgname LIKE '%\_replicated%' THEN 'R' WHEN t.tgname = 'mark_truncated' THEN 'A' ELSE 'O' END
    ) < 32 THEN
        TRUNCATE re.patient_state, re.patient_search, re.cell, re.risk_day, re.outreach_day;
        UPDATE re.organization_state SET building_after = '', built_at = NULL, generation = generation + 1;
    END IF;
END $$;

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

-- Policies, rules and rights: exactly those that are declared. Rights that are declared are given again by grants.sql.
DO $$
DECLARE
    statement text;
    condition text := $condition$organization_id = (SELECT nullif(current_setting('reengagement.organization', true), ''))
        OR (SELECT NOT re.is_bound())$condition$;
BEGIN
    FOR statement IN
        WITH ours AS (
            SELECT c.oid, c.oid::regclass AS name, c.relname, n.nspname, c.relispartition, c.relacl, c.relowner, c.relkind
            FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p', 'v')
                AND (n.nspname = 're' OR n.nspname = 'public' AND c.relname = ANY (re.public_names()))
        )
        SELECT format('DROP POLICY %I ON %s', p.polname, o.name)
        FROM ours o JOIN pg_policy p ON p.polrelid = o.oid WHERE o.relname NOT IN ('migration', 'foundation')
        UNION ALL
        SELECT format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY, NO FORCE ROW LEVEL SECURITY', o.name) FROM ours o WHERE o.relkind <> 'v'
        UNION ALL
        SELECT format('CREATE POLICY one_organization ON %s FOR ALL TO PUBLIC USING (%s)', o.name, w.condition)
            || CASE WHEN o.relispartition THEN '' ELSE format(' WITH CHECK (%s)', w.condition) END
        FROM ours o
        CROSS JOIN LATERAL (SELECT CASE o.relname WHEN 'organizations' THEN replace(condition, 'organization_id', 'id')
            ELSE condition END) AS w(condition)
        WHERE o.relkind <> 'v' AND o.relname NOT IN ('migration', 'foundation')
        UNION ALL
        SELECT 'CREATE POLICY every_piece ON re.patient_search FOR SELECT TO reengagement_searcher USING (true)'
        WHERE to_regclass('re.patient_search') IS NOT NULL
        UNION ALL
        SELECT format('DROP RULE %I ON %s', w.rulename, o.name)
        FROM ours o JOIN pg_rewrite w ON w.ev_class = o.oid AND w.rulename <> '_RETURN'
        UNION ALL
        SELECT format('REVOKE ALL ON %s FROM %s', o.name, coalesce(quote_ident(g.rolname), 'PUBLIC'))
        FROM ours o
        CROSS JOIN LATERAL (SELECT DISTINCT a.grantee FROM aclexplode(o.relacl) a WHERE a.grantee <> o.relowner) a
        LEFT JOIN pg_roles g ON g.oid = a.grantee
        WHERE a.grantee = 0 OR g.rolname = current_setting('re.server_role') OR g.rolname IN (
            'reengagement_definer', 'reengagement_marker', 'reengagement_scheduler', 'reengagement_searcher')
    LOOP
        EXECUTE statement;
    END LOOP;
END $$;

CREATE OR REPLACE TRIGGER check_inserted_time_zones AFTER INSERT ON public.organizations
    REFERENCING NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION re.check_inserted_time_zones();
CREATE OR REPLACE TRIGGER check_updated_time_zones AFTER UPDATE ON public.organizations
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows
    FOR EACH STATEMENT EXECUTE FUNCTION re.check_updated_time_zones();
CREATE OR REPLACE TRIGGER append_only BEFORE UPDATE OR DELETE ON re.audit
    FOR EACH ROW EXECUTE FUNCTION re.refuse_audit_change();
CREATE OR REPLACE TRIGGER never_truncated BEFORE TRUNCATE ON re.audit
    FOR EACH STATEMENT EXECUTE FUNCTION re.refuse_audit_change();

CREATE INDEX IF NOT EXISTS appointments_of_patient ON public.appointments (organization_id, patient_id, starts_at)
    INCLUDE (status, value, created_at);
CREATE INDEX IF NOT EXISTS appointments_by_patient_booking ON public.appointments (organization_id, patient_id, created_at)
    WHERE status NOT IN ('cancelled', 'late_cancelled');
CREATE INDEX IF NOT EXISTS missed_appointments_by_start ON public.appointments (organization_id, starts_at)
    WHERE status IN ('no_show', 'late_cancelled');
CREATE INDEX IF NOT EXISTS conversations_by_patient ON public.conversations (organization_id, patient_id, occurred_at);
CREATE INDEX IF NOT EXISTS outreach_log_of_patient ON public.outreach_log (organization_id, patient_id, created_at, id)
    INCLUDE (outcome, method);
CREATE INDEX IF NOT EXISTS outreach_log_by_time ON public.outreach_log (organization_id, created_at);
CREATE INDEX IF NOT EXISTS audit_by_organization ON re.audit (organization_id, at);
CREATE INDEX IF NOT EXISTS dirty_by_patient ON re.dirty (organization_id, patient_id);
CREATE INDEX IF NOT EXISTS dirty_in_order ON re.dirty (organization_id, xid, patient_id);
CREATE INDEX IF NOT EXISTS patient_state_in_order_of_priority
    ON re.patient_state (organization_id, class, last_contact_day, patient_id) WHERE class IS NOT NULL;
CREATE INDEX IF NOT EXISTS patient_state_by_valid_from ON re.patient_state (organization_id, valid_from);
CREATE INDEX IF NOT EXISTS patient_state_by_valid_until ON re.patient_state (organization_id, valid_until) WHERE valid_until < 'infinity';
CREATE INDEX IF NOT EXISTS patient_state_by_day_from ON re.patient_state (organization_id, day_from);
CREATE INDEX IF NOT EXISTS patient_state_by_day_until ON re.patient_state (organization_id, day_until) WHERE day_until < 'infinity';
CREATE INDEX IF NOT EXISTS patient_state_in_order_of_name
    ON re.patient_state (organization_id, short_name, patient_id) INCLUDE (class, last_contact_day)
    WHERE class IS NOT NULL AND short_name IS NOT NULL;
CREATE INDEX IF NOT EXISTS patient_state_in_order_of_long_name
    ON re.patient_state (organization_id, long_name_start, patient_id)
    WHERE class IS NOT NULL AND long_name_start IS NOT NULL;
CREATE INDEX IF NOT EXISTS patient_search_by_piece ON re.patient_search USING gin (pieces) WITH (fastupdate = off);

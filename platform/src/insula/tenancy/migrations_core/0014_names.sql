-- The function that policies ask (insula.tenancy.sealing) gets a name that no other tenant's has:
-- PostgreSQL finds functions by their names, and read one line for each tenant. What 0011 does to a
-- schema whose function had this name before is done here.
DO $names$
DECLARE
    question text := 'insula_bound_' || substr(current_schema(), 3);
    place oid := current_schema()::text::regnamespace;
    made record;
BEGIN
    IF EXISTS (SELECT FROM pg_proc
        WHERE proname = 'insula_bound' AND proargtypes = '' AND pronamespace = place)
    THEN
        EXECUTE format('ALTER FUNCTION %I.insula_bound() RENAME TO %I', current_schema(), question);
        RETURN;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_proc
        WHERE proname = question AND proargtypes = '' AND pronamespace = place)
    THEN
        RETURN; -- a scratch schema, not a tenant's
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I REVOKE ALL ON SEQUENCES FROM %1$I', current_schema()
    );
    FOR made IN
        SELECT c.oid::regclass AS name, c.relkind AS kind
        FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
        WHERE d.refclassid = 'pg_namespace'::regclass AND d.refobjid = place
            AND d.classid = 'pg_class'::regclass
            AND (c.relkind = 'S' OR (c.relkind IN ('r', 'p') AND NOT c.relrowsecurity))
    LOOP
        IF made.kind = 'S' THEN
            EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM %I', made.name, current_schema());
        ELSE
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', made.name);
            EXECUTE format('CREATE POLICY bound ON %s USING ((SELECT %I()))', made.name, question);
        END IF;
    END LOOP;
END
$names$;

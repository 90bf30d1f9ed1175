-- Row security on every table that a tenant has (insula.tenancy.sealing); tables made later are
-- sealed as they are made. Sequences are nobody's: identity columns need no privilege, and whoever
-- became another tenant's role could draw numbers from them.
DO $isolation$
DECLARE
    made record;
BEGIN
    IF to_regproc(format('%I.insula_bound', current_schema())) IS NULL THEN
        RETURN; -- a scratch schema, not a tenant's
    END IF;
    EXECUTE format(
        'ALTER DEFAULT PRIVILEGES IN SCHEMA %1$I REVOKE ALL ON SEQUENCES FROM %1$I', current_schema()
    );
    FOR made IN
        SELECT c.oid::regclass AS name, c.relkind AS kind
        FROM pg_depend d JOIN pg_class c ON c.oid = d.objid
        WHERE d.refclassid = 'pg_namespace'::regclass
            AND d.refobjid = current_schema()::text::regnamespace
            AND d.classid = 'pg_class'::regclass
            AND (c.relkind = 'S' OR (c.relkind IN ('r', 'p') AND NOT c.relrowsecurity))
    LOOP
        IF made.kind = 'S' THEN
            EXECUTE format('REVOKE ALL ON SEQUENCE %s FROM %I', made.name, current_schema());
        ELSE
            EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', made.name);
            EXECUTE format('CREATE POLICY bound ON %s USING ((SELECT insula_bound()))', made.name);
        END IF;
    END LOOP;
END
$isolation$;

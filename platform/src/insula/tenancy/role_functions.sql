-- What the provisioner asks for, where a superuser has installed us: roles of tenants, made and
-- dropped as that superuser, of whom nothing else can be had here. Who makes a role by itself is a
-- member of it from then on.
CREATE SCHEMA IF NOT EXISTS keep;
GRANT USAGE ON SCHEMA keep TO app_prov;

CREATE OR REPLACE FUNCTION keep.make_role(tenant bigint, bucket integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE ROLE t_%s NOLOGIN ROLE app_b%s', tenant, lpad(bucket::text, 3, '0'));
END $$;

CREATE OR REPLACE FUNCTION keep.share_role(tenant bigint, bucket integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT t_%s TO app_b%s', tenant, lpad(bucket::text, 3, '0'));
END $$;

-- Whoever granted it: a registrar may have.
CREATE OR REPLACE FUNCTION keep.unshare_role(tenant bigint, bucket integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    login text := 'app_b' || lpad(bucket::text, 3, '0');
    grantor_ text;
BEGIN
    FOR grantor_ IN
        SELECT m.grantor::regrole::text FROM pg_auth_members m
        WHERE m.roleid = to_regrole('t_' || tenant) AND m.member = to_regrole(login)
    LOOP
        EXECUTE format('REVOKE t_%s FROM %s GRANTED BY %s', tenant, login, grantor_);
    END LOOP;
END $$;

CREATE OR REPLACE FUNCTION keep.drop_role(tenant bigint) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('DROP ROLE IF EXISTS t_%s', tenant);
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA keep FROM PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA keep TO app_prov;

-- What the provisioner asks for, where a superuser has installed us: roles of tenants, made and
-- dropped as that superuser, of whom nothing else can be had here. Who makes a role by itself is a
-- member of it from then on.
CREATE SCHEMA IF NOT EXISTS keep;
GRANT USAGE ON SCHEMA keep TO app_prov;

CREATE OR REPLACE FUNCTION keep.login_of(bucket integer) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT 'app_b' || lpad(bucket::text, greatest(3, length(bucket::text)), '0')
$$;

CREATE OR REPLACE FUNCTION keep.make_role(tenant bigint, bucket integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('CREATE ROLE t_%s NOLOGIN ROLE %s', tenant, keep.login_of(bucket));
END $$;

CREATE OR REPLACE FUNCTION keep.share_role(tenant bigint, bucket integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT t_%s TO %s', tenant, keep.login_of(bucket));
END $$;

-- Whoever granted it: a registrar may have.
CREATE OR REPLACE FUNCTION keep.unshare_role(tenant bigint, bucket integer) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    login text := keep.login_of(bucket);
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

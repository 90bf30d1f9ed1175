-- The tenant's function has a name of its own now (migrations_core/0014_names.sql); those of tenants
-- that are not migrated yet are asked by the old one.
CREATE OR REPLACE FUNCTION bound() RETURNS boolean LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    question text := 'insula_bound_' || substr(current_user::text, 3);
    answer boolean;
BEGIN
    IF current_user ~ '^t_[0-9]+$' THEN
        IF NOT EXISTS (SELECT FROM pg_proc WHERE proname = question AND proargtypes = ''
            AND pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_user))
        THEN
            question := 'insula_bound';
        END IF;
        EXECUTE format('SELECT %I.%I()', current_user, question) INTO answer;
        RETURN answer;
    END IF;
    RETURN current_user = 'app_owner';
END
$$;

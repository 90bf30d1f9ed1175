-- A tenant's rows here are written by a transaction that carries the tenant's capability
-- (insula.tenancy.sealing): whoever only became its role forges no events and wakes no webhooks. Runs
-- with the rights of whoever asks, so it reaches the function of that one's own schema only. The
-- owner of all schemas writes content of the demo tenant here.
CREATE FUNCTION bound() RETURNS boolean LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    answer boolean;
BEGIN
    IF current_user ~ '^t_[0-9]+$' THEN
        EXECUTE format('SELECT %I.insula_bound()', current_user) INTO answer;
        RETURN answer;
    END IF;
    RETURN current_user = 'app_owner';
END
$$;

ALTER POLICY own_rows ON outbox WITH CHECK (tenant = CURRENT_USER AND (SELECT bound()));
ALTER POLICY own_rows ON webhook_queue
    USING (tenant = CURRENT_USER AND (SELECT bound()))
    WITH CHECK (tenant = CURRENT_USER AND (SELECT bound()));

-- What tenants hand over to the platform. A tenant's role may insert rows of its own, and do nothing
-- else here: not read, not change, not even learn the number of a row.
CREATE TABLE outbox (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    tenant TEXT DEFAULT CURRENT_USER NOT NULL,
    kind TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    body JSONB NOT NULL,
    CONSTRAINT pk_outbox PRIMARY KEY (id)
);

CREATE INDEX ix_outbox_events ON outbox (tenant, id) WHERE kind = 'event';

CREATE INDEX ix_outbox_jobs ON outbox (due_at) WHERE kind = 'job';

GRANT INSERT ON outbox TO PUBLIC;
ALTER TABLE outbox ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON outbox FOR INSERT TO PUBLIC WITH CHECK (tenant = CURRENT_USER);

-- pg_notify is taken from PUBLIC: this function, which the platform owns, says only "there is more".
CREATE FUNCTION wake() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('insula_outbox', '');
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION wake() FROM PUBLIC;
CREATE TRIGGER wake AFTER INSERT ON outbox FOR EACH STATEMENT EXECUTE FUNCTION wake();

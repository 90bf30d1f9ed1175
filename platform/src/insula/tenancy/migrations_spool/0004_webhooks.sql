-- When which endpoint has something to be sent. A tenant's role may say so of its own endpoints
-- ("now"); leases, and everybody else's rows, are the platform's.
CREATE TABLE webhook_queue (
    tenant TEXT DEFAULT CURRENT_USER NOT NULL,
    webhook_id UUID NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    paused_until TIMESTAMP WITH TIME ZONE,
    leased_until TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_webhook_queue PRIMARY KEY (tenant, webhook_id)
);

CREATE INDEX ix_spool_webhook_queue_due_at ON webhook_queue (due_at);

CREATE INDEX ix_spool_webhook_queue_leased_until ON webhook_queue (leased_until) WHERE leased_until IS NOT NULL;

GRANT INSERT (webhook_id), SELECT (tenant, webhook_id, due_at, paused_until), UPDATE (due_at, paused_until) ON webhook_queue TO PUBLIC;
ALTER TABLE webhook_queue ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON webhook_queue TO PUBLIC USING (tenant = CURRENT_USER) WITH CHECK (tenant = CURRENT_USER);

CREATE FUNCTION wake_webhooks() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_catalog.pg_notify('insula_webhooks', '');
    RETURN NULL;
END
$$;
REVOKE EXECUTE ON FUNCTION wake_webhooks() FROM PUBLIC;
-- By row: a worker's own UPDATE that finds nothing must not wake it again.
CREATE TRIGGER wake AFTER INSERT OR UPDATE OF due_at ON webhook_queue
FOR EACH ROW WHEN (NEW.due_at <= now()) EXECUTE FUNCTION wake_webhooks();

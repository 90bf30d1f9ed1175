-- Numbering a tenant's events is one transaction with taking them from the outbox, so the lanes lie
-- where the outbox does: in each cell. At home, the catalogue's migration has moved them here.
CREATE TABLE IF NOT EXISTS event_lanes (
    tenant BIGINT NOT NULL,
    last_seq BIGINT DEFAULT '0' NOT NULL,
    done_seq BIGINT DEFAULT '0' NOT NULL,
    retry_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_event_lanes PRIMARY KEY (tenant)
);

CREATE INDEX IF NOT EXISTS ix_event_lanes_behind ON event_lanes (retry_at) WHERE done_seq < last_seq;

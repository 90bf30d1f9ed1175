CREATE TABLE event_lanes (
    tenant_id UUID NOT NULL,
    last_seq BIGINT DEFAULT '0' NOT NULL,
    done_seq BIGINT DEFAULT '0' NOT NULL,
    retry_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_event_lanes PRIMARY KEY (tenant_id),
    CONSTRAINT fk_event_lanes_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX ix_event_lanes_behind ON event_lanes (retry_at) WHERE done_seq < last_seq;

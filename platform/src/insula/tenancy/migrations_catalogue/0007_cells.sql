CREATE TABLE cells (
    number SMALLINT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    buckets SMALLINT NOT NULL,
    capacity INTEGER NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_cells PRIMARY KEY (number),
    CONSTRAINT ck_cells_number CHECK (number >= 0),
    CONSTRAINT ck_cells_state CHECK (state in ('open', 'draining', 'closed')),
    CONSTRAINT uq_cells_name UNIQUE (name)
);

INSERT INTO cells (number, name, url, buckets, capacity) VALUES (0, 'home', '', 0, 2000);

CREATE TABLE moves (
    tenant_id UUID NOT NULL,
    source SMALLINT NOT NULL,
    target SMALLINT NOT NULL,
    phase TEXT DEFAULT 'copying' NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    copied TEXT[] DEFAULT '{}' NOT NULL,
    size BIGINT DEFAULT '0' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    paused_at TIMESTAMP WITH TIME ZONE,
    switched_at TIMESTAMP WITH TIME ZONE,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_moves PRIMARY KEY (tenant_id),
    CONSTRAINT ck_moves_phase CHECK (phase in ('copying', 'paused', 'switched', 'done')),
    CONSTRAINT fk_moves_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

-- Lanes lie with the outbox from now on, in the spool of each cell (migrations_spool/0005_cells.sql).
-- A worker of the version before waits until it is replaced; it can't number by a table of its own.
CREATE SCHEMA IF NOT EXISTS spool;

CREATE TABLE IF NOT EXISTS spool.event_lanes (
    tenant BIGINT NOT NULL,
    last_seq BIGINT DEFAULT '0' NOT NULL,
    done_seq BIGINT DEFAULT '0' NOT NULL,
    retry_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_event_lanes PRIMARY KEY (tenant)
);

INSERT INTO spool.event_lanes (tenant, last_seq, done_seq, retry_at)
SELECT tenants.number, last_seq, done_seq, retry_at
FROM event_lanes JOIN tenants ON tenants.id = event_lanes.tenant_id;

DROP TABLE event_lanes;

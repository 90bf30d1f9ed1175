CREATE TABLE cells (
    number SMALLINT NOT NULL,
    name TEXT NOT NULL,
    url TEXT NOT NULL,
    buckets SMALLINT NOT NULL,
    capacity INTEGER NOT NULL,
    state TEXT DEFAULT 'open' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_cells PRIMARY KEY (number),
    CONSTRAINT ck_cells_number CHECK (number > 0),
    CONSTRAINT ck_cells_state CHECK (state in ('open', 'draining', 'closed')),
    CONSTRAINT uq_cells_name UNIQUE (name)
);

CREATE TABLE moves (
    tenant_id UUID NOT NULL,
    source SMALLINT NOT NULL,
    target SMALLINT NOT NULL,
    phase TEXT DEFAULT 'copying' NOT NULL,
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

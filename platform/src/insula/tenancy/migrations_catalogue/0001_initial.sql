CREATE TABLE idempotency_keys (
    key TEXT NOT NULL,
    fingerprint BYTEA NOT NULL,
    status INTEGER,
    headers JSONB,
    body BYTEA,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_idempotency_keys PRIMARY KEY (key)
);

CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at);

CREATE TABLE insula_migrations (
    module TEXT NOT NULL,
    version INTEGER NOT NULL,
    checksum TEXT NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_insula_migrations PRIMARY KEY (module, version)
);

CREATE TABLE tenants (
    id UUID NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    slug TEXT NOT NULL,
    name TEXT NOT NULL,
    status TEXT DEFAULT 'active' NOT NULL,
    bucket SMALLINT NOT NULL,
    epoch BIGINT DEFAULT '0' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tenants PRIMARY KEY (id),
    CONSTRAINT ck_tenants_status CHECK (status in ('active', 'suspended')),
    CONSTRAINT ck_tenants_slug CHECK (slug ~ '^[a-z][a-z0-9-]{1,38}[a-z0-9]$'),
    CONSTRAINT uq_tenants_number UNIQUE (number),
    CONSTRAINT uq_tenants_slug UNIQUE (slug)
);

CREATE TABLE tenant_modules (
    tenant_id UUID NOT NULL,
    module TEXT NOT NULL,
    version INTEGER NOT NULL,
    enabled BOOLEAN NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tenant_modules PRIMARY KEY (tenant_id, module),
    CONSTRAINT fk_tenant_modules_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

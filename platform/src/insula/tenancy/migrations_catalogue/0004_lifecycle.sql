ALTER TABLE tenants ADD COLUMN suspension TEXT;

ALTER TABLE tenants ADD COLUMN limits JSONB DEFAULT '{}' NOT NULL;

CREATE TABLE former_slugs (
    slug TEXT NOT NULL,
    tenant_id UUID NOT NULL,
    until TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_former_slugs PRIMARY KEY (slug),
    CONSTRAINT fk_former_slugs_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE INDEX ix_former_slugs_tenant_id ON former_slugs (tenant_id);

CREATE TABLE domains (
    tenant_id UUID NOT NULL,
    name TEXT NOT NULL,
    token TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    verified_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_domains PRIMARY KEY (tenant_id, name),
    CONSTRAINT fk_domains_tenant_id FOREIGN KEY(tenant_id) REFERENCES tenants (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX uq_domains_verified ON domains (name) WHERE verified_at IS NOT NULL;

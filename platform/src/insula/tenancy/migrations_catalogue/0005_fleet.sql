ALTER TABLE tenant_modules ADD COLUMN state TEXT DEFAULT 'ok' NOT NULL;

ALTER TABLE tenant_modules ADD COLUMN error TEXT;

ALTER TABLE tenant_modules ADD COLUMN attempts INTEGER DEFAULT '0' NOT NULL;

ALTER TABLE tenant_modules ADD COLUMN attempted_at TIMESTAMP WITH TIME ZONE;

ALTER TABLE tenant_modules ADD CONSTRAINT ck_tenant_modules_state CHECK (state in ('ok', 'quarantined'));

CREATE INDEX ix_tenant_modules_quarantined ON tenant_modules (tenant_id) WHERE state = 'quarantined';

CREATE TABLE erasures (
    id UUID NOT NULL,
    user_id UUID NOT NULL,
    content TEXT NOT NULL,
    requested_by UUID NOT NULL,
    erased_at TIMESTAMP WITH TIME ZONE NOT NULL,
    tables JSONB NOT NULL,
    receipt TEXT NOT NULL,
    CONSTRAINT pk_erasures PRIMARY KEY (id),
    CONSTRAINT ck_erasures_content CHECK (content in ('keep', 'remove'))
);

CREATE INDEX ix_erasures_user_id ON erasures (user_id);

CREATE TABLE exports (
    id UUID NOT NULL,
    kind TEXT NOT NULL,
    person_id UUID,
    requested_by UUID,
    job_id UUID NOT NULL,
    blob TEXT,
    size BIGINT,
    sha256 BYTEA,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_exports PRIMARY KEY (id),
    CONSTRAINT ck_exports_kind CHECK (kind in ('tenant', 'person'))
);

CREATE INDEX ix_exports_created_at ON exports (created_at);

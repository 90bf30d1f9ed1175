CREATE TABLE file_usage (
    id INTEGER DEFAULT '1' NOT NULL,
    bytes BIGINT DEFAULT '0' NOT NULL,
    quota BIGINT,
    CONSTRAINT pk_file_usage PRIMARY KEY (id),
    CONSTRAINT ck_file_usage_single CHECK (id = 1)
);

CREATE TABLE file_removals (
    id UUID NOT NULL,
    size BIGINT NOT NULL,
    CONSTRAINT pk_file_removals PRIMARY KEY (id)
);

CREATE TABLE files (
    id UUID NOT NULL,
    blob TEXT NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    sha256 BYTEA NOT NULL,
    metadata JSONB DEFAULT '{}' NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_files PRIMARY KEY (id)
);

CREATE INDEX ix_files_created_at ON files (created_at);

CREATE INDEX ix_files_deleted_at ON files (deleted_at);

CREATE TABLE uploads (
    id UUID NOT NULL,
    resumable BOOLEAN NOT NULL,
    name TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    received BIGINT DEFAULT '0' NOT NULL,
    writer UUID,
    metadata JSONB DEFAULT '{}' NOT NULL,
    created_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_uploads PRIMARY KEY (id)
);

CREATE INDEX ix_uploads_created_at ON uploads (created_at);

CREATE INDEX ix_uploads_expires_at ON uploads (expires_at);

CREATE TABLE attachments (
    file_id UUID NOT NULL,
    module TEXT NOT NULL,
    thing_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_attachments PRIMARY KEY (file_id),
    CONSTRAINT fk_attachments_file_id FOREIGN KEY(file_id) REFERENCES files (id) ON DELETE CASCADE
);

CREATE INDEX ix_attachments_thing ON attachments (module, thing_id, file_id);

CREATE TABLE upload_parts (
    upload_id UUID NOT NULL,
    start BIGINT NOT NULL,
    size BIGINT NOT NULL,
    blob TEXT NOT NULL,
    CONSTRAINT pk_upload_parts PRIMARY KEY (upload_id, start),
    CONSTRAINT fk_upload_parts_upload_id FOREIGN KEY(upload_id) REFERENCES uploads (id) ON DELETE CASCADE
);

INSERT INTO file_usage DEFAULT VALUES;

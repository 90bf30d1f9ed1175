CREATE TABLE jobs (
    id UUID NOT NULL,
    name TEXT NOT NULL,
    key TEXT,
    status TEXT DEFAULT 'queued' NOT NULL,
    args JSONB NOT NULL,
    result JSONB,
    error TEXT,
    done INTEGER DEFAULT '0' NOT NULL,
    total INTEGER DEFAULT '0' NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    attempt INTEGER DEFAULT '0' NOT NULL,
    run UUID,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    traceparent TEXT DEFAULT '' NOT NULL,
    actor_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_jobs PRIMARY KEY (id),
    CONSTRAINT ck_jobs_status CHECK (status in ('queued', 'running', 'succeeded', 'failed', 'cancelled'))
);

CREATE INDEX ix_jobs_created_at ON jobs (created_at);

CREATE INDEX ix_jobs_finished_at ON jobs (finished_at);

CREATE UNIQUE INDEX ix_jobs_key ON jobs (key) WHERE key IS NOT NULL AND status = 'queued';

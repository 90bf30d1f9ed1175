CREATE TABLE job_turns (
    tenant BIGINT NOT NULL,
    job_id UUID NOT NULL,
    name TEXT NOT NULL,
    traceparent TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ticket UUID NOT NULL,
    turn INTEGER DEFAULT '0' NOT NULL,
    lease TIMESTAMP WITH TIME ZONE,
    holder UUID,
    cancelled BOOLEAN DEFAULT 'false' NOT NULL,
    CONSTRAINT pk_job_turns PRIMARY KEY (tenant, job_id)
);

CREATE INDEX ix_job_turns_leased ON job_turns (tenant) WHERE lease IS NOT NULL;

CREATE INDEX ix_job_turns_waiting ON job_turns (tenant, due_at) WHERE lease IS NULL;

CREATE TABLE crons (
    name TEXT NOT NULL,
    schedule TEXT NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE NOT NULL,
    lease TIMESTAMP WITH TIME ZONE,
    holder UUID,
    CONSTRAINT pk_crons PRIMARY KEY (name)
);

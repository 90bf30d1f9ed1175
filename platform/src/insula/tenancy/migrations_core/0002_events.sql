CREATE TABLE event_cursors (
    consumer TEXT NOT NULL,
    seq BIGINT NOT NULL,
    failures INTEGER DEFAULT '0' NOT NULL,
    retry_at TIMESTAMP WITH TIME ZONE,
    error TEXT,
    CONSTRAINT pk_event_cursors PRIMARY KEY (consumer)
);

CREATE TABLE events (
    seq BIGINT NOT NULL,
    id UUID NOT NULL,
    type TEXT NOT NULL,
    subject TEXT NOT NULL,
    time TIMESTAMP WITH TIME ZONE NOT NULL,
    actor_id UUID,
    data JSONB NOT NULL,
    traceparent TEXT NOT NULL,
    channels TEXT[] NOT NULL,
    CONSTRAINT pk_events PRIMARY KEY (seq),
    CONSTRAINT uq_events_id UNIQUE (id)
);

CREATE INDEX ix_events_subject ON events (subject);

CREATE INDEX ix_events_time ON events (time);

CREATE TABLE event_dead_letters (
    consumer TEXT NOT NULL,
    event_id UUID NOT NULL,
    error TEXT NOT NULL,
    failed_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_event_dead_letters PRIMARY KEY (consumer, event_id),
    CONSTRAINT fk_event_dead_letters_event_id FOREIGN KEY(event_id) REFERENCES events (id) ON DELETE CASCADE
);

CREATE INDEX ix_event_dead_letters_event_id ON event_dead_letters (event_id);

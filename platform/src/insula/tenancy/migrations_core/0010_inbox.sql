CREATE TABLE event_inbox (
    source TEXT NOT NULL,
    id TEXT NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_event_inbox PRIMARY KEY (source, id)
);

CREATE INDEX ix_event_inbox_received_at ON event_inbox (received_at);

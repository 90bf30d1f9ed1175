CREATE TABLE notes (
    id UUID NOT NULL,
    author_id UUID NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    html TEXT NOT NULL,
    tags TEXT[] NOT NULL,
    revision INTEGER DEFAULT '1' NOT NULL,
    search TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('english', title), 'A') || setweight(to_tsvector('english', body), 'B')) STORED NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_notes PRIMARY KEY (id),
    CONSTRAINT fk_notes_author_id FOREIGN KEY(author_id) REFERENCES users (id)
);

CREATE INDEX ix_notes_created_at ON notes (created_at);

CREATE INDEX ix_notes_search ON notes USING gin (search);

CREATE INDEX ix_notes_tags ON notes USING gin (tags);

CREATE INDEX ix_notes_updated_at ON notes (updated_at);

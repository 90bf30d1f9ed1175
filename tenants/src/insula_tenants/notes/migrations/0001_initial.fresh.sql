-- With what 0002 makes of it: changing a column means to write the table, and its indexes, twice.
CREATE TABLE notes (
    id UUID NOT NULL,
    author_id UUID NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    front_matter TEXT NOT NULL,
    path TEXT,
    heading TEXT NOT NULL,
    html TEXT NOT NULL,
    tags TEXT[] NOT NULL,
    keys TEXT[] NOT NULL,
    revision INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    deleted_at TIMESTAMP WITH TIME ZONE,
    search TSVECTOR GENERATED ALWAYS AS (search_vector('A', title, 'en') || search_vector('B', body, 'en')) STORED NOT NULL,
    CONSTRAINT pk_notes PRIMARY KEY (id),
    CONSTRAINT fk_notes_author_id FOREIGN KEY(author_id) REFERENCES users (id)
);

CREATE INDEX ix_notes_created_at ON notes (created_at);

CREATE INDEX ix_notes_deleted_at ON notes (deleted_at);

CREATE INDEX ix_notes_keys ON notes USING gin (keys);

CREATE INDEX ix_notes_search ON notes USING gin (search);

CREATE INDEX ix_notes_tags ON notes USING gin (tags);

CREATE INDEX ix_notes_updated_at ON notes (updated_at);

CREATE UNIQUE INDEX uq_notes_path ON notes (path) WHERE deleted_at IS NULL;

CREATE TABLE notes_links (
    note_id UUID NOT NULL,
    number INTEGER NOT NULL,
    key TEXT NOT NULL,
    kind TEXT NOT NULL,
    target TEXT NOT NULL,
    heading TEXT NOT NULL,
    text TEXT NOT NULL,
    line INTEGER NOT NULL,
    CONSTRAINT pk_notes_links PRIMARY KEY (note_id, number),
    CONSTRAINT fk_notes_links_note_id FOREIGN KEY(note_id) REFERENCES notes (id) ON DELETE CASCADE
);

CREATE INDEX ix_notes_links_key ON notes_links (key);

CREATE TABLE notes_revisions (
    note_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    author_id UUID NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    front_matter TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_notes_revisions PRIMARY KEY (note_id, revision),
    CONSTRAINT fk_notes_revisions_note_id FOREIGN KEY(note_id) REFERENCES notes (id) ON DELETE CASCADE,
    CONSTRAINT fk_notes_revisions_author_id FOREIGN KEY(author_id) REFERENCES users (id)
);

CREATE TABLE notes_shares (
    id UUID NOT NULL,
    note_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    created_by UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    expires_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_notes_shares PRIMARY KEY (id),
    CONSTRAINT fk_notes_shares_note_id FOREIGN KEY(note_id) REFERENCES notes (id) ON DELETE CASCADE,
    CONSTRAINT uq_notes_shares_digest UNIQUE (digest),
    CONSTRAINT fk_notes_shares_created_by FOREIGN KEY(created_by) REFERENCES users (id)
);

CREATE INDEX ix_notes_shares_note_id ON notes_shares (note_id);

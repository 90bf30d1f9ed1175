CREATE TABLE polls (
    id UUID NOT NULL,
    author_id UUID NOT NULL,
    kind TEXT NOT NULL,
    question TEXT NOT NULL,
    description TEXT NOT NULL,
    options JSONB NOT NULL,
    correct INTEGER[] NOT NULL,
    min_choices INTEGER NOT NULL,
    max_choices INTEGER NOT NULL,
    scale INTEGER NOT NULL,
    points INTEGER NOT NULL,
    explanation TEXT NOT NULL,
    reveal TEXT NOT NULL,
    voters TEXT NOT NULL,
    anonymous BOOLEAN NOT NULL,
    may_change BOOLEAN NOT NULL,
    moderated BOOLEAN NOT NULL,
    results TEXT NOT NULL,
    state TEXT NOT NULL,
    opens_at TIMESTAMP WITH TIME ZONE,
    closes_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    watch_key TEXT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    search TSVECTOR GENERATED ALWAYS AS (search_vector('A', question, 'en') || search_vector('B', description, 'en')) STORED NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_polls PRIMARY KEY (id),
    CONSTRAINT ck_polls_voters CHECK (voters IN ('user', 'token', 'cookie')),
    CONSTRAINT ck_polls_results CHECK (results IN ('always', 'after_vote', 'after_close')),
    CONSTRAINT ck_polls_reveal CHECK (reveal IN ('after_vote', 'after_close')),
    CONSTRAINT ck_polls_state CHECK (state IN ('draft', 'scheduled', 'open', 'closed')),
    CONSTRAINT ck_polls_kind CHECK (kind IN ('single', 'multiple', 'ranked', 'rating', 'quiz', 'open')),
    CONSTRAINT fk_polls_author_id FOREIGN KEY(author_id) REFERENCES users (id)
);

CREATE INDEX ix_polls_created_at ON polls (created_at);

CREATE INDEX ix_polls_search ON polls USING gin (search);

CREATE TABLE polls_changes (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    poll_id UUID NOT NULL,
    voters INTEGER NOT NULL,
    counts JSONB NOT NULL,
    CONSTRAINT pk_polls_changes PRIMARY KEY (id),
    CONSTRAINT fk_polls_changes_poll_id FOREIGN KEY(poll_id) REFERENCES polls (id) ON DELETE CASCADE
);

CREATE INDEX ix_polls_changes_poll_id ON polls_changes (poll_id);

CREATE TABLE polls_counts (
    poll_id UUID NOT NULL,
    key TEXT NOT NULL,
    votes INTEGER NOT NULL,
    CONSTRAINT pk_polls_counts PRIMARY KEY (poll_id, key),
    CONSTRAINT fk_polls_counts_poll_id FOREIGN KEY(poll_id) REFERENCES polls (id) ON DELETE CASCADE
);

CREATE TABLE polls_tallies (
    poll_id UUID NOT NULL,
    number BIGINT DEFAULT '0' NOT NULL,
    voters INTEGER DEFAULT '0' NOT NULL,
    final BOOLEAN DEFAULT 'false' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE,
    counted_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_polls_tallies PRIMARY KEY (poll_id),
    CONSTRAINT fk_polls_tallies_poll_id FOREIGN KEY(poll_id) REFERENCES polls (id) ON DELETE CASCADE
);

CREATE TABLE polls_tokens (
    poll_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    CONSTRAINT pk_polls_tokens PRIMARY KEY (poll_id, digest),
    CONSTRAINT fk_polls_tokens_poll_id FOREIGN KEY(poll_id) REFERENCES polls (id) ON DELETE CASCADE
);

CREATE TABLE polls_voters (
    poll_id UUID NOT NULL,
    voter BYTEA NOT NULL,
    vote_id UUID,
    CONSTRAINT pk_polls_voters PRIMARY KEY (poll_id, voter),
    CONSTRAINT fk_polls_voters_poll_id FOREIGN KEY(poll_id) REFERENCES polls (id) ON DELETE CASCADE
);

CREATE TABLE polls_votes (
    id UUID NOT NULL,
    poll_id UUID NOT NULL,
    user_id UUID,
    choices INTEGER[] NOT NULL,
    answer TEXT,
    answer_state TEXT DEFAULT 'shown' NOT NULL,
    cast_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_polls_votes PRIMARY KEY (id),
    CONSTRAINT ck_polls_votes_answer_state CHECK (answer_state IN ('shown', 'pending', 'rejected')),
    CONSTRAINT fk_polls_votes_poll_id FOREIGN KEY(poll_id) REFERENCES polls (id) ON DELETE CASCADE,
    CONSTRAINT fk_polls_votes_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_polls_votes_answers ON polls_votes (poll_id, answer_state, id) WHERE answer IS NOT NULL;

CREATE INDEX ix_polls_votes_poll_id ON polls_votes (poll_id);

CREATE INDEX ix_polls_votes_user_id ON polls_votes (user_id);

CREATE TRIGGER search_learn AFTER INSERT OR UPDATE OF search ON polls FOR EACH ROW EXECUTE FUNCTION search_learn();

CREATE TABLE notes_words (
    id UUID NOT NULL,
    owner_id UUID,
    word TEXT NOT NULL,
    folded TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_notes_words PRIMARY KEY (id),
    CONSTRAINT uq_notes_words_owner_id_folded UNIQUE NULLS NOT DISTINCT (owner_id, folded),
    CONSTRAINT fk_notes_words_owner_id FOREIGN KEY(owner_id) REFERENCES users (id)
);

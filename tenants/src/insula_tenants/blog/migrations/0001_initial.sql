CREATE TABLE blog_settings (
    id INTEGER NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    site_url TEXT,
    language TEXT NOT NULL,
    community BOOLEAN NOT NULL,
    comments_open BOOLEAN NOT NULL,
    moderation TEXT NOT NULL,
    max_links INTEGER NOT NULL,
    blocked_words TEXT[] NOT NULL,
    edit_minutes INTEGER NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    CONSTRAINT pk_blog_settings PRIMARY KEY (id),
    CONSTRAINT ck_blog_settings_single CHECK (id = 1),
    CONSTRAINT ck_blog_settings_moderation CHECK (moderation in ('none', 'first', 'all'))
);

CREATE TABLE blog_authors (
    user_id UUID NOT NULL,
    username TEXT NOT NULL,
    bio TEXT,
    image TEXT,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_blog_authors PRIMARY KEY (user_id),
    CONSTRAINT fk_blog_authors_user_id FOREIGN KEY(user_id) REFERENCES users (id) ON DELETE CASCADE
);

CREATE UNIQUE INDEX uq_blog_authors_username ON blog_authors (lower(username));

CREATE TABLE blog_articles (
    id UUID NOT NULL,
    author_id UUID NOT NULL,
    slug TEXT NOT NULL,
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    body TEXT NOT NULL,
    format TEXT DEFAULT 'markdown' NOT NULL,
    html TEXT NOT NULL,
    tags TEXT[] NOT NULL,
    status TEXT DEFAULT 'draft' NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE,
    unpublish_at TIMESTAMP WITH TIME ZONE,
    comments_open BOOLEAN DEFAULT true NOT NULL,
    cover_file_id UUID,
    cover_url TEXT,
    meta_title TEXT,
    meta_description TEXT,
    canonical_url TEXT,
    custom JSONB DEFAULT '{}'::jsonb NOT NULL,
    source TEXT,
    preview_digest BYTEA,
    revision INTEGER DEFAULT '1' NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    search TSVECTOR GENERATED ALWAYS AS (search_vector('A', title, 'en') || search_vector('B', summary, 'en') || search_vector('C', body, 'en')) STORED NOT NULL,
    CONSTRAINT pk_blog_articles PRIMARY KEY (id),
    CONSTRAINT uq_blog_articles_source UNIQUE (source),
    CONSTRAINT ck_blog_articles_status CHECK (status in ('draft', 'scheduled', 'published')),
    CONSTRAINT ck_blog_articles_format CHECK (format in ('markdown', 'html')),
    CONSTRAINT uq_blog_articles_preview_digest UNIQUE (preview_digest),
    CONSTRAINT fk_blog_articles_author_id FOREIGN KEY(author_id) REFERENCES blog_authors (user_id) ON DELETE CASCADE,
    CONSTRAINT uq_blog_articles_slug UNIQUE (slug)
);

CREATE INDEX ix_blog_articles_author_id ON blog_articles (author_id);

CREATE INDEX ix_blog_articles_created_at ON blog_articles (created_at);

CREATE INDEX ix_blog_articles_published ON blog_articles (published_at, id);

CREATE INDEX ix_blog_articles_search ON blog_articles USING gin (search);

CREATE INDEX ix_blog_articles_tags ON blog_articles USING gin (tags);

CREATE TABLE blog_follows (
    follower_id UUID NOT NULL,
    author_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_blog_follows PRIMARY KEY (follower_id, author_id),
    CONSTRAINT fk_blog_follows_author_id FOREIGN KEY(author_id) REFERENCES blog_authors (user_id) ON DELETE CASCADE,
    CONSTRAINT fk_blog_follows_follower_id FOREIGN KEY(follower_id) REFERENCES blog_authors (user_id) ON DELETE CASCADE
);

CREATE INDEX ix_blog_follows_author_id ON blog_follows (author_id);

CREATE TABLE blog_comments (
    id UUID NOT NULL,
    number BIGINT GENERATED ALWAYS AS IDENTITY,
    article_id UUID NOT NULL,
    parent_id UUID,
    depth INTEGER DEFAULT '0' NOT NULL,
    author_id UUID,
    guest TEXT,
    body TEXT NOT NULL,
    html TEXT NOT NULL,
    status TEXT NOT NULL,
    source TEXT,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    edited_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_blog_comments PRIMARY KEY (id),
    CONSTRAINT fk_blog_comments_parent_id FOREIGN KEY(parent_id) REFERENCES blog_comments (id) ON DELETE CASCADE,
    CONSTRAINT fk_blog_comments_article_id FOREIGN KEY(article_id) REFERENCES blog_articles (id) ON DELETE CASCADE,
    CONSTRAINT ck_blog_comments_status CHECK (status in ('pending', 'approved', 'rejected', 'spam', 'deleted')),
    CONSTRAINT fk_blog_comments_author_id FOREIGN KEY(author_id) REFERENCES blog_authors (user_id) ON DELETE CASCADE,
    CONSTRAINT uq_blog_comments_source UNIQUE (source),
    CONSTRAINT uq_blog_comments_number UNIQUE (number)
);

CREATE INDEX ix_blog_comments_article ON blog_comments (article_id, created_at);

CREATE INDEX ix_blog_comments_author_id ON blog_comments (author_id);

CREATE INDEX ix_blog_comments_parent_id ON blog_comments (parent_id);

CREATE INDEX ix_blog_comments_status ON blog_comments (status, created_at);

CREATE TABLE blog_favourites (
    article_id UUID NOT NULL,
    user_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_blog_favourites PRIMARY KEY (article_id, user_id),
    CONSTRAINT fk_blog_favourites_article_id FOREIGN KEY(article_id) REFERENCES blog_articles (id) ON DELETE CASCADE,
    CONSTRAINT fk_blog_favourites_user_id FOREIGN KEY(user_id) REFERENCES blog_authors (user_id) ON DELETE CASCADE
);

CREATE INDEX ix_blog_favourites_user_id ON blog_favourites (user_id);

CREATE TABLE blog_revisions (
    article_id UUID NOT NULL,
    revision INTEGER NOT NULL,
    editor_id UUID,
    title TEXT NOT NULL,
    summary TEXT NOT NULL,
    body TEXT NOT NULL,
    format TEXT NOT NULL,
    tags TEXT[] NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_blog_revisions PRIMARY KEY (article_id, revision),
    CONSTRAINT fk_blog_revisions_editor_id FOREIGN KEY(editor_id) REFERENCES users (id) ON DELETE SET NULL,
    CONSTRAINT fk_blog_revisions_article_id FOREIGN KEY(article_id) REFERENCES blog_articles (id) ON DELETE CASCADE
);

CREATE INDEX ix_blog_revisions_editor_id ON blog_revisions (editor_id);

CREATE TABLE blog_slugs (
    slug TEXT NOT NULL,
    article_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_blog_slugs PRIMARY KEY (slug),
    CONSTRAINT fk_blog_slugs_article_id FOREIGN KEY(article_id) REFERENCES blog_articles (id) ON DELETE CASCADE
);

CREATE INDEX ix_blog_slugs_article_id ON blog_slugs (article_id);

CREATE TRIGGER search_learn AFTER INSERT OR UPDATE OF search ON blog_articles FOR EACH ROW EXECUTE FUNCTION search_learn();

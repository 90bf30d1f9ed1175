-- With what 0002 makes of it: another type means to write the table, and its indexes, twice.
CREATE TABLE tasks_labels (
    name TEXT NOT NULL,
    colour TEXT NOT NULL,
    CONSTRAINT pk_tasks_labels PRIMARY KEY (name)
);

CREATE TABLE tasks_filters (
    id UUID NOT NULL,
    owner_id UUID NOT NULL,
    name TEXT NOT NULL,
    query TEXT NOT NULL,
    zone TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tasks_filters PRIMARY KEY (id),
    CONSTRAINT fk_tasks_filters_owner_id FOREIGN KEY(owner_id) REFERENCES users (id)
);

CREATE INDEX ix_tasks_filters_owner_id ON tasks_filters (owner_id);

CREATE TABLE tasks_projects (
    id UUID NOT NULL,
    title TEXT NOT NULL,
    description TEXT NOT NULL,
    colour TEXT NOT NULL,
    visibility TEXT NOT NULL,
    zone TEXT NOT NULL,
    inbox_of UUID,
    archived_at TIMESTAMP WITH TIME ZONE,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tasks_projects PRIMARY KEY (id),
    CONSTRAINT ck_tasks_projects_visibility CHECK (visibility in ('private', 'tenant')),
    CONSTRAINT fk_tasks_projects_inbox_of FOREIGN KEY(inbox_of) REFERENCES users (id),
    CONSTRAINT uq_tasks_projects_inbox_of UNIQUE (inbox_of)
);

CREATE INDEX ix_tasks_projects_created_at ON tasks_projects (created_at);

CREATE TABLE tasks (
    id UUID NOT NULL,
    project_id UUID NOT NULL,
    parent_id UUID,
    depth INTEGER NOT NULL,
    author_id UUID NOT NULL,
    title TEXT NOT NULL,
    notes TEXT NOT NULL,
    priority INTEGER NOT NULL,
    labels TEXT[] DEFAULT '{}' NOT NULL,
    assignee_ids UUID[] DEFAULT '{}' NOT NULL,
    zone TEXT NOT NULL,
    due_date DATE,
    due_time TIME WITHOUT TIME ZONE,
    due_at TIMESTAMP WITH TIME ZONE,
    start_date DATE,
    start_time TIME WITHOUT TIME ZONE,
    start_at TIMESTAMP WITH TIME ZONE,
    repeat TEXT NOT NULL,
    repeat_from TEXT NOT NULL,
    repeat_missed TEXT NOT NULL,
    repeats_left INTEGER,
    repeat_anchor DATE,
    position BIGINT NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    completed_by UUID,
    done BOOLEAN GENERATED ALWAYS AS (completed_at IS NOT NULL) STORED NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    search TSVECTOR GENERATED ALWAYS AS (search_vector('A', title, 'en') || search_vector('B', notes, 'en')) STORED NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tasks PRIMARY KEY (id),
    CONSTRAINT fk_tasks_completed_by FOREIGN KEY(completed_by) REFERENCES users (id),
    CONSTRAINT fk_tasks_parent_id FOREIGN KEY(parent_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT ck_tasks_repeat_missed CHECK (repeat_missed in ('skip', 'keep')),
    CONSTRAINT ck_tasks_priority CHECK (priority between 1 and 4),
    CONSTRAINT fk_tasks_author_id FOREIGN KEY(author_id) REFERENCES users (id),
    CONSTRAINT ck_tasks_repeat_from CHECK (repeat_from in ('due', 'completion')),
    CONSTRAINT fk_tasks_project_id FOREIGN KEY(project_id) REFERENCES tasks_projects (id) ON DELETE CASCADE
);

CREATE INDEX ix_tasks_assignee_ids ON tasks USING gin (assignee_ids);

CREATE INDEX ix_tasks_completed_at ON tasks (completed_at);

CREATE INDEX ix_tasks_created_at ON tasks (created_at);

CREATE INDEX ix_tasks_due_at ON tasks (due_at);

CREATE INDEX ix_tasks_labels ON tasks USING gin (labels);

CREATE INDEX ix_tasks_parent_id ON tasks (parent_id);

CREATE INDEX ix_tasks_project_id_position ON tasks (project_id, position);

CREATE INDEX ix_tasks_search ON tasks USING gin (search);

CREATE INDEX ix_tasks_updated_at ON tasks (updated_at);

CREATE TABLE tasks_links (
    id UUID NOT NULL,
    project_id UUID NOT NULL,
    user_id UUID NOT NULL,
    digest BYTEA NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tasks_links PRIMARY KEY (id),
    CONSTRAINT uq_tasks_links_digest UNIQUE (digest),
    CONSTRAINT fk_tasks_links_project_id FOREIGN KEY(project_id) REFERENCES tasks_projects (id) ON DELETE CASCADE,
    CONSTRAINT fk_tasks_links_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_tasks_links_project_id ON tasks_links (project_id);

CREATE TABLE tasks_members (
    project_id UUID NOT NULL,
    user_id UUID NOT NULL,
    role TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tasks_members PRIMARY KEY (project_id, user_id),
    CONSTRAINT fk_tasks_members_user_id FOREIGN KEY(user_id) REFERENCES users (id),
    CONSTRAINT fk_tasks_members_project_id FOREIGN KEY(project_id) REFERENCES tasks_projects (id) ON DELETE CASCADE,
    CONSTRAINT ck_tasks_members_role CHECK (role in ('owner', 'editor', 'viewer'))
);

CREATE INDEX ix_tasks_members_user_id ON tasks_members (user_id);

CREATE TABLE tasks_comments (
    id UUID NOT NULL,
    task_id UUID NOT NULL,
    author_id UUID NOT NULL,
    body TEXT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    updated_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tasks_comments PRIMARY KEY (id),
    CONSTRAINT fk_tasks_comments_author_id FOREIGN KEY(author_id) REFERENCES users (id),
    CONSTRAINT fk_tasks_comments_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE INDEX ix_tasks_comments_task_id ON tasks_comments (task_id);

CREATE TABLE tasks_completions (
    id UUID NOT NULL,
    task_id UUID NOT NULL,
    completed_by UUID NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE NOT NULL,
    due_date DATE,
    due_time TIME WITHOUT TIME ZONE,
    skipped INTEGER NOT NULL,
    CONSTRAINT pk_tasks_completions PRIMARY KEY (id),
    CONSTRAINT fk_tasks_completions_completed_by FOREIGN KEY(completed_by) REFERENCES users (id),
    CONSTRAINT fk_tasks_completions_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE
);

CREATE INDEX ix_tasks_completions_task_id ON tasks_completions (task_id);

CREATE TABLE tasks_reminders (
    id UUID NOT NULL,
    task_id UUID NOT NULL,
    user_id UUID NOT NULL,
    before TEXT,
    at TIMESTAMP WITH TIME ZONE,
    fires_at TIMESTAMP WITH TIME ZONE,
    sent_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT now() NOT NULL,
    CONSTRAINT pk_tasks_reminders PRIMARY KEY (id),
    CONSTRAINT fk_tasks_reminders_task_id FOREIGN KEY(task_id) REFERENCES tasks (id) ON DELETE CASCADE,
    CONSTRAINT fk_tasks_reminders_user_id FOREIGN KEY(user_id) REFERENCES users (id)
);

CREATE INDEX ix_tasks_reminders_task_id ON tasks_reminders (task_id);

CREATE TRIGGER search_learn AFTER INSERT OR UPDATE OF search ON tasks FOR EACH ROW EXECUTE FUNCTION search_learn();

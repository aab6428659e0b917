-- "Log out everywhere": tokens of this subject made up to then open nothing.
CREATE TABLE logout_marks (
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    subject_hash TEXT NOT NULL,
    marked_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, environment, subject_hash)
);
CREATE INDEX logout_marks_by_age ON logout_marks (marked_at);

-- Tokens that are good once and were used.
CREATE TABLE spent_tokens (
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    token_hash TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, environment, token_hash)
);
CREATE INDEX spent_tokens_by_end ON spent_tokens (expires_at);

-- Conversations that came along when their visitor signed in. `undone_by` is
-- `visitor` or `operator`; `apart` is where what was said before went then.
CREATE TABLE merges (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    conversation_id TEXT NOT NULL UNIQUE REFERENCES conversations (id),
    visitor_id TEXT NOT NULL,
    contact_id TEXT NOT NULL,
    merged_at BIGINT NOT NULL,
    undone_at BIGINT,
    undone_by TEXT,
    apart TEXT
);
CREATE INDEX merges_by_time ON merges (agent_id, environment, merged_at);

-- What came along before there was this table. The line that says so tells when.
INSERT INTO merges
    (id, agent_id, environment, conversation_id, visitor_id, contact_id, merged_at)
SELECT 'mrg_' || substr(id, 5), agent_id, environment, id, moved_from, owner,
    coalesce((
        SELECT added_at FROM entries
        WHERE conversation_id = conversations.id AND number = moved_at_entry + 1
    ), updated_at)
FROM conversations WHERE moved_from IS NOT NULL AND owner IS NOT NULL;

-- What of a token's claims is kept besides name and address, as JSON.
ALTER TABLE contacts ADD COLUMN claims TEXT;
CREATE INDEX contacts_by_time ON contacts (agent_id, environment, updated_at);

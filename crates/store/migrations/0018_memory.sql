-- What an agent remembers of a contact between conversations. `kind` is `fact`, `topic`
-- or `open`, `noted_by` is `agent` or `operator`.
CREATE TABLE memories (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    contact_id TEXT NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    kind TEXT NOT NULL,
    text TEXT NOT NULL,
    conversation_id TEXT,
    noted_by TEXT NOT NULL,
    noted_at BIGINT NOT NULL
);
CREATE INDEX memories_by_contact ON memories (contact_id, noted_at);
CREATE INDEX memories_by_conversation ON memories (conversation_id);

-- When it is to be looked what should be remembered of a conversation, if that is not
-- done; and up to which entry it was.
ALTER TABLE conversations ADD COLUMN memory_due_at BIGINT;
ALTER TABLE conversations ADD COLUMN remembered_to BIGINT;
CREATE INDEX conversations_to_remember ON conversations (memory_due_at)
    WHERE memory_due_at IS NOT NULL;

-- One-time codes: a row for each that was asked for (rule A3). The address goes
-- as soon as it counts for nothing; what is left is there to be counted.
CREATE TABLE codes (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    -- Who asked: a contact's or a visitor's id.
    owner TEXT NOT NULL,
    conversation_id TEXT,
    address TEXT,
    mailbox_hash TEXT NOT NULL,
    code_hash TEXT NOT NULL,
    asked_at BIGINT NOT NULL,
    -- Without it the address had enough mail already: no code opens this.
    mailed_at BIGINT,
    expires_at BIGINT NOT NULL,
    tries BIGINT NOT NULL,
    -- Used, or followed by another.
    closed_at BIGINT,
    proven_until BIGINT
);
CREATE INDEX codes_by_mailbox ON codes (mailbox_hash, asked_at);
CREATE INDEX codes_by_owner ON codes (owner, asked_at);
CREATE INDEX codes_by_conversation ON codes (conversation_id);
CREATE INDEX codes_by_age ON codes (asked_at);
-- A session waits for one code, and has proven one address.
CREATE UNIQUE INDEX codes_open ON codes (session_id) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX codes_proven ON codes (session_id) WHERE proven_until IS NOT NULL;

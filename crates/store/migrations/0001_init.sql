-- One text for SQLite and PostgreSQL. Ids and JSON are TEXT, times are BIGINT
-- microseconds since 1970, a nullable `…_at` says whether and when.

CREATE TABLE installation (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- What is written beside a running server bumps this, and every node reads it.
CREATE TABLE changes (
    id BIGINT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);
INSERT INTO changes (id, number) VALUES (1, 0);

CREATE TABLE agents (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE environments (
    agent_id TEXT NOT NULL REFERENCES agents (id),
    environment TEXT NOT NULL,
    settings TEXT NOT NULL,
    PRIMARY KEY (agent_id, environment)
);

CREATE TABLE signing_keys (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    algorithm TEXT NOT NULL,
    secret TEXT NOT NULL,
    last_four TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    imported_at BIGINT,
    accepted_until BIGINT,
    revoked_at BIGINT,
    FOREIGN KEY (agent_id, environment) REFERENCES environments (agent_id, environment)
);
CREATE INDEX signing_keys_by_scope ON signing_keys (agent_id, environment);

-- What we sign assertions with: one set for each environment.
CREATE TABLE assertion_keys (
    id TEXT NOT NULL PRIMARY KEY,
    environment TEXT NOT NULL,
    secret TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    retired_at BIGINT
);

CREATE TABLE contacts (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT,
    email TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    epoch TEXT NOT NULL,
    last_event BIGINT NOT NULL,
    UNIQUE (agent_id, environment, subject)
);

CREATE TABLE visitors (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    contact_id TEXT REFERENCES contacts (id),
    created_at BIGINT NOT NULL,
    retired_at BIGINT,
    epoch TEXT NOT NULL,
    last_event BIGINT NOT NULL
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    secret_hash TEXT NOT NULL UNIQUE,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    visitor_id TEXT REFERENCES visitors (id),
    contact_id TEXT REFERENCES contacts (id),
    key_id TEXT REFERENCES signing_keys (id),
    identity TEXT,
    page_origin TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX sessions_by_visitor ON sessions (visitor_id);
CREATE INDEX sessions_by_contact ON sessions (contact_id);
CREATE INDEX sessions_by_key ON sessions (key_id);

-- `owner` is a contact's or a visitor's id; without one, only operators see it.
CREATE TABLE conversations (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    owner TEXT,
    title TEXT,
    opened_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    closed_at BIGINT,
    visitor_spoke_at BIGINT,
    last_message TEXT,
    last_entry BIGINT NOT NULL,
    turn_since BIGINT,
    moved_from TEXT,
    moved_at_entry BIGINT
);
CREATE INDEX conversations_by_owner ON conversations (owner, updated_at);
CREATE INDEX conversations_with_a_turn ON conversations (turn_since) WHERE turn_since IS NOT NULL;

CREATE TABLE entries (
    conversation_id TEXT NOT NULL REFERENCES conversations (id),
    number BIGINT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    body TEXT NOT NULL,
    client_id TEXT,
    added_at BIGINT NOT NULL,
    PRIMARY KEY (conversation_id, number),
    UNIQUE (conversation_id, client_id)
);

CREATE TABLE events (
    owner TEXT NOT NULL,
    number BIGINT NOT NULL,
    entry_id TEXT NOT NULL REFERENCES entries (id),
    PRIMARY KEY (owner, number)
);

CREATE TABLE actions (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    definition TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (agent_id, name)
);

CREATE TABLE sources (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    url TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (agent_id, url)
);

-- Vectors by the hash of what they stand for, so that nothing is embedded twice.
CREATE TABLE embeddings (
    hash TEXT NOT NULL PRIMARY KEY,
    vector BYTEA NOT NULL
);

CREATE TABLE audit (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT,
    environment TEXT,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    body TEXT NOT NULL
);

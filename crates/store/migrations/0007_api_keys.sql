-- What programs of an operator use the API with: for the whole installation, or
-- for one agent only.
CREATE TABLE api_keys (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    secret_hash TEXT NOT NULL UNIQUE,
    last_four TEXT NOT NULL,
    agent_id TEXT REFERENCES agents (id),
    created_at BIGINT NOT NULL,
    last_used_at BIGINT,
    revoked_at BIGINT
);

-- Who did it: `command_line`, an API key's id, or nobody for the program itself.
ALTER TABLE audit ADD COLUMN actor TEXT;
CREATE INDEX audit_by_time ON audit (at, id);

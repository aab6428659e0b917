-- What nodes tell each other, numbered in the order in which it becomes visible:
-- whose streams look again, and for what. Without an owner: everybody's.
CREATE TABLE notices (
    number BIGINT NOT NULL PRIMARY KEY,
    owner TEXT,
    kind TEXT NOT NULL,
    added_at BIGINT NOT NULL
);
INSERT INTO counters (name, number) VALUES ('notices', 0);

-- Whom operators act as when they try something. Of staging by construction:
-- there is no column that could say otherwise.
CREATE TABLE test_identities (
    id TEXT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL REFERENCES agents (id),
    subject TEXT NOT NULL,
    email TEXT,
    name TEXT,
    attributes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (agent_id, subject)
);

-- How far things are numbered that every node reads in order.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    number BIGINT NOT NULL
);
INSERT INTO counters (name, number) VALUES ('verifications', 0);

-- A line for each attempt to exchange a token; never the token, a claim or an
-- address. `attempts` is more than one where only the number was kept.
CREATE TABLE verifications (
    number BIGINT NOT NULL PRIMARY KEY,
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    at BIGINT NOT NULL,
    code TEXT NOT NULL,
    attempts BIGINT NOT NULL,
    page_origin TEXT,
    key_id TEXT,
    algorithm TEXT,
    age BIGINT,
    lifetime BIGINT,
    skew BIGINT,
    subject_hash TEXT,
    contact_id TEXT,
    warnings TEXT NOT NULL
);
CREATE INDEX verifications_by_agent ON verifications (agent_id, number);
CREATE INDEX verifications_by_key ON verifications (key_id, at);
CREATE INDEX verifications_by_time ON verifications (at);

-- What a key was good for; `accepted` counts the day that `day` names (days
-- since 1970, UTC).
CREATE TABLE key_usage (
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    key_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    accepted BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL,
    PRIMARY KEY (agent_id, environment, key_id)
);

-- Under `report`: sessions that were opened without a token, which `required`
-- would have refused.
CREATE TABLE enforcement_days (
    agent_id TEXT NOT NULL,
    environment TEXT NOT NULL,
    day BIGINT NOT NULL,
    strangers BIGINT NOT NULL,
    PRIMARY KEY (agent_id, environment, day)
);

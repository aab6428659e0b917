-- A signing key is a shared secret, a public key, or the address of a set of
-- public keys: `kind` is `secret`, `public` or `set`. Keys from before have none
-- and are secrets.
ALTER TABLE signing_keys ADD COLUMN kind TEXT;
-- A JWK of the key's numbers; empty columns `secret` and `last_four` go with it.
ALTER TABLE signing_keys ADD COLUMN public_key TEXT;
-- The `kid` that its tokens carry, where that is not the key's id.
ALTER TABLE signing_keys ADD COLUMN kid TEXT;
ALTER TABLE signing_keys ADD COLUMN url TEXT;
-- What `iss` and `aud` of its tokens must be; `audiences` is a JSON list.
ALTER TABLE signing_keys ADD COLUMN issuer TEXT;
ALTER TABLE signing_keys ADD COLUMN audiences TEXT;
-- By which the same key is recognised in a second place: a keyed hash of a
-- secret, the thumbprint of a public key, the address of a set.
ALTER TABLE signing_keys ADD COLUMN fingerprint TEXT;

CREATE UNIQUE INDEX signing_keys_by_kid ON signing_keys (agent_id, environment, kid);
CREATE INDEX signing_keys_by_fingerprint ON signing_keys (fingerprint);

-- What was last fetched from the address of a set, and how fetching failed since.
CREATE TABLE fetched_sets (
    key_id TEXT NOT NULL PRIMARY KEY REFERENCES signing_keys (id),
    body TEXT,
    fetched_at BIGINT,
    fresh_until BIGINT,
    failed_at BIGINT,
    failure TEXT
);

-- What a contact was like before the last token: told by the statement that brings it
-- up to date, so that what changed is known without another one.
ALTER TABLE contacts ADD COLUMN before_name TEXT;
ALTER TABLE contacts ADD COLUMN before_email TEXT;
ALTER TABLE contacts ADD COLUMN before_claims TEXT;

-- What tokens changed about a contact; `fields` is a JSON list of
-- `{"field","from","to"}`, `issued_at` the token's `iat`.
CREATE TABLE contact_changes (
    contact_id TEXT NOT NULL REFERENCES contacts (id) ON DELETE CASCADE,
    number BIGINT NOT NULL,
    at BIGINT NOT NULL,
    key_id TEXT NOT NULL,
    issued_at BIGINT,
    fields TEXT NOT NULL,
    PRIMARY KEY (contact_id, number)
);

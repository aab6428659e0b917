-- By these all that is kept of one person is found (rule D7).
CREATE INDEX visitors_by_contact ON visitors (contact_id) WHERE contact_id IS NOT NULL;
CREATE INDEX verifications_by_subject ON verifications (subject_hash)
    WHERE subject_hash IS NOT NULL;

-- An entry that is erased would otherwise look for its events in all of them. What
-- is told of an event is joined with its entry, so one without is not told.
CREATE TABLE events_of_owners (
    owner TEXT NOT NULL,
    number BIGINT NOT NULL,
    entry_id TEXT NOT NULL,
    PRIMARY KEY (owner, number)
);
INSERT INTO events_of_owners (owner, number, entry_id) SELECT owner, number, entry_id FROM events;
DROP TABLE events;
ALTER TABLE events_of_owners RENAME TO events;

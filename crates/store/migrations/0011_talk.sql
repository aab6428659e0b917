-- What a conversation's visitor makes of it. `given_title` goes before `title`, which
-- is the beginning of what they said first. `unread` counts the messages by others
-- after `read_to`. A rating is JSON.
ALTER TABLE conversations ADD COLUMN given_title TEXT;
ALTER TABLE conversations ADD COLUMN given_title_search TEXT;
ALTER TABLE conversations ADD COLUMN read_to BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN unread BIGINT NOT NULL DEFAULT 0;
ALTER TABLE conversations ADD COLUMN rating TEXT;
-- What was said before there were marks is taken as read.
UPDATE conversations SET read_to = last_entry;

-- Of a message: who said it, and its text as it is searched.
ALTER TABLE entries ADD COLUMN author TEXT;
ALTER TABLE entries ADD COLUMN search TEXT;
-- Only a visitor's carries the id that a client gave it.
UPDATE entries SET author = CASE WHEN client_id IS NULL THEN 'agent' ELSE 'visitor' END
    WHERE kind = 'message';
-- Those from before, until their text was folded.
CREATE INDEX entries_to_fold ON entries (conversation_id) WHERE kind = 'message' AND search IS NULL;

-- An event is of an entry, or of a conversation as a whole.
CREATE TABLE events_of_both (
    owner TEXT NOT NULL,
    number BIGINT NOT NULL,
    entry_id TEXT,
    conversation_id TEXT,
    PRIMARY KEY (owner, number)
);
INSERT INTO events_of_both (owner, number, entry_id) SELECT owner, number, entry_id FROM events;
DROP TABLE events;
ALTER TABLE events_of_both RENAME TO events;

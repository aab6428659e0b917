-- A source is what an operator added; what came of it are pages, cut into passages.
-- What is empty was added by an earlier release: a file for everybody, everywhere.
ALTER TABLE sources ADD COLUMN kind TEXT;
ALTER TABLE sources ADD COLUMN readers TEXT;
ALTER TABLE sources ADD COLUMN environment TEXT;
ALTER TABLE sources ADD COLUMN every TEXT;
-- When it is to be fetched next, by itself or because somebody asked; never, if empty.
ALTER TABLE sources ADD COLUMN due_at BIGINT;
ALTER TABLE sources ADD COLUMN synced_at BIGINT;
ALTER TABLE sources ADD COLUMN failed_at BIGINT;
ALTER TABLE sources ADD COLUMN failure TEXT;
-- What could not be read of it at the last try, as JSON.
ALTER TABLE sources ADD COLUMN skipped TEXT;
-- How much came of it.
ALTER TABLE sources ADD COLUMN n_pages BIGINT;
ALTER TABLE sources ADD COLUMN n_passages BIGINT;
ALTER TABLE sources ADD COLUMN n_embedded BIGINT;
-- Who works on it, and until when they are believed to.
ALTER TABLE sources ADD COLUMN claimed_by TEXT;
ALTER TABLE sources ADD COLUMN claimed_until BIGINT;

CREATE TABLE pages (
    source_id TEXT NOT NULL REFERENCES sources (id),
    -- What names it within its source.
    place TEXT NOT NULL,
    -- Where visitors can read it; empty if nowhere.
    url TEXT NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    hash TEXT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    -- The number of the last change of it or of its passages.
    revision BIGINT NOT NULL,
    -- The cutter its passages were cut by; empty if it is yet to be cut.
    cut_by BIGINT,
    -- Since when it is not found any more.
    missed_at BIGINT,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (source_id, place)
);

CREATE TABLE passages (
    source_id TEXT NOT NULL,
    place TEXT NOT NULL,
    number BIGINT NOT NULL,
    heading TEXT NOT NULL,
    anchor TEXT,
    text TEXT NOT NULL,
    hash TEXT NOT NULL,
    -- Those of the heading and of the text; empty if it is yet to be embedded.
    vectors BYTEA,
    PRIMARY KEY (source_id, place, number),
    FOREIGN KEY (source_id, place) REFERENCES pages (source_id, place)
);

CREATE INDEX pages_to_cut ON pages (source_id) WHERE cut_by IS NULL;
CREATE INDEX passages_to_embed ON passages (source_id) WHERE vectors IS NULL;

INSERT INTO counters (name, number) VALUES ('knowledge', 1);

INSERT INTO pages (source_id, place, url, title, body, hash, revision, updated_at)
SELECT id, '', url, title, body, '', 0, updated_at FROM sources;
UPDATE sources SET n_pages = 1;

-- Vectors of passages stand with their passage now; the rest is made anew.
DELETE FROM embeddings;

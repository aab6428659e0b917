-- The processes that serve this database now. Each counts its beats up; one whose
-- count stands still is gone, and whoever noticed takes its row away.
CREATE TABLE nodes (
    id TEXT NOT NULL PRIMARY KEY,
    beats BIGINT NOT NULL,
    started_at BIGINT NOT NULL
);

-- Which of them runs the turn. Without one, or with one that is gone, it is
-- anybody's who takes it up.
ALTER TABLE conversations ADD COLUMN turn_node TEXT;

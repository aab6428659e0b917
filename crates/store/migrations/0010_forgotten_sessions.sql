-- What a token said of its user is kept with its session, which is forgotten a while
-- after its end; a code goes with its session.
CREATE INDEX sessions_by_end ON sessions (expires_at);
CREATE INDEX codes_by_session ON codes (session_id);

-- The thumbprint of the key that a session or a visitor is bound to (rules S4, S7).
ALTER TABLE sessions ADD COLUMN proof_key TEXT;
ALTER TABLE visitors ADD COLUMN proof_key TEXT;

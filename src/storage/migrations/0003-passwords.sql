-- Passwords that people change themselves, and how fresh the proof of a session is.

ALTER TABLE credential ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;       -- counts changes of the password, not of its hash
ALTER TABLE credential ADD COLUMN initial BIGINT NOT NULL DEFAULT 0;     -- 1: must be replaced before anything else (I1, W3)
ALTER TABLE web_session ADD COLUMN proved_at BIGINT NOT NULL DEFAULT 0;  -- when its password was last typed

CREATE INDEX event_acted ON event(id) WHERE kind = 'acted';

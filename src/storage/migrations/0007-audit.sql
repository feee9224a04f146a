-- The audit trail: a chain of hashes over the events that tell who did what to whose access (T28).

CREATE TABLE audit(
    n BIGINT PRIMARY KEY,               -- counts up by one: a row that is missing shows
    event BIGINT NOT NULL UNIQUE,       -- event.id; the columns below repeat what is searched for
    at BIGINT NOT NULL,
    account TEXT NOT NULL,
    actor TEXT NOT NULL,                -- an account's id, or command; empty: nobody in particular
    act TEXT NOT NULL,
    hash BLOB NOT NULL                  -- BLAKE3 over the hash of the row before, n, and every column of the event
);
CREATE INDEX audit_account ON audit(account, n);
CREATE INDEX audit_actor ON audit(actor, n);
CREATE INDEX audit_act ON audit(act, n);

-- In one row: the last row that retention removed, where the chain goes on, and the newest event of the time before it.
CREATE TABLE audit_anchor(n BIGINT NOT NULL, hash BLOB NOT NULL, since BIGINT NOT NULL);
INSERT INTO audit_anchor SELECT 0, X'', COALESCE(MAX(id), 0) FROM event;

CREATE INDEX event_audited ON event(id) WHERE kind IN ('acted', 'locked', 'unlocked', 'logged-in', 'logged-out');

-- The pages of the operators.
CREATE INDEX strikes_locked ON strikes(locked_until) WHERE locked_until IS NOT NULL;

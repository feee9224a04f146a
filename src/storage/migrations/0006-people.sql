-- Who people are (row T5), and the audit trail by who acted.

CREATE TABLE person(
    account TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    kana TEXT NOT NULL,
    english_name TEXT NOT NULL,
    department TEXT NOT NULL,
    postcode TEXT NOT NULL,
    address TEXT NOT NULL,
    phone TEXT NOT NULL,
    fax TEXT NOT NULL,
    folded TEXT NOT NULL,               -- the names as a search compares them
    changed_at BIGINT NOT NULL
);

ALTER TABLE event ADD COLUMN actor TEXT;  -- who acted, where that is an account or a command

CREATE INDEX event_audit ON event(id) WHERE kind IN ('acted', 'locked', 'unlocked', 'logged-in');
CREATE INDEX event_audit_account ON event(account, id) WHERE kind IN ('acted', 'locked', 'unlocked', 'logged-in');
CREATE INDEX event_actor ON event(actor, id) WHERE actor IS NOT NULL;

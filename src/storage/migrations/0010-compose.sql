-- Faxes that were composed in a browser and seen as pages, but not sent yet.

CREATE TABLE draft(
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    session BLOB NOT NULL,              -- web_session.name: it belongs to one browser
    asked TEXT NOT NULL,                -- JSON: where it goes and how; never a password
    pages BIGINT,                       -- in the file <id>-draft-pages; NULL: its files are being written
    page_bytes BIGINT NOT NULL,
    bytes BIGINT NOT NULL,              -- of both files; <id>-draft has the documents
    batch BIGINT,                       -- what it became when it was sent
    created_at BIGINT NOT NULL          -- 0: it has made room, its files are to be removed
);
CREATE INDEX draft_account ON draft(account, created_at);
CREATE INDEX draft_age ON draft(created_at);

-- What people change in the account web, beside the accounts file.

-- In force while the file says what it said when the row was written.
CREATE TABLE setting(
    account TEXT NOT NULL,
    key TEXT NOT NULL,                  -- account::overlay::Key
    value TEXT NOT NULL,                -- JSON
    replaces BLOB NOT NULL,             -- SHA-256 of what the accounts file said: a change there ends this row's force
    changed_at BIGINT NOT NULL,
    changed_by TEXT NOT NULL,           -- an account's id
    PRIMARY KEY(account, key)
);

CREATE TABLE contact_list(
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    name TEXT NOT NULL,
    name_key TEXT NOT NULL,             -- in lower case
    version BIGINT NOT NULL,            -- counts up with every change of its name or its members
    changed_at BIGINT NOT NULL,
    UNIQUE(account, name_key)
);

CREATE TABLE contact(
    list BIGINT NOT NULL,
    position BIGINT NOT NULL,           -- order of sending
    destination TEXT NOT NULL,          -- canonical
    name TEXT NOT NULL,
    PRIMARY KEY(list, position),
    UNIQUE(list, destination)
);

-- A sender address that waits for its owner to confirm it.
CREATE TABLE sender_pending(
    account TEXT NOT NULL,
    address TEXT NOT NULL,              -- in lower case
    code BLOB NOT NULL,                 -- keyed hash of the code that was mailed to it
    tries BIGINT NOT NULL,              -- wrong codes so far
    asked_at BIGINT NOT NULL,
    PRIMARY KEY(account, address)
);

-- When an account had such a mail sent: few may go out in a day.
CREATE TABLE sender_asked(
    account TEXT NOT NULL,
    at BIGINT NOT NULL
);
CREATE INDEX sender_asked_account ON sender_asked(account, at);

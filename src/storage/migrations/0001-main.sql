-- Points in time are milliseconds since 1970; identifiers come from storage::Ids.

CREATE TABLE batch(
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    identity BLOB NOT NULL,             -- keyless hash over account, Message-ID, scrubbed content (P4)
    door TEXT NOT NULL,
    proof TEXT NOT NULL,
    tier TEXT NOT NULL,                 -- how far the sender was believed
    verification TEXT NOT NULL,         -- Authentication-Results (RFC 8601); empty: not verified
    reference TEXT NOT NULL,
    message_id TEXT NOT NULL,
    reply_to TEXT NOT NULL,
    page_options TEXT NOT NULL,         -- JSON
    documents BLOB,                     -- small documents; NULL: the file <id>-documents
    expired BIGINT NOT NULL DEFAULT 0,  -- 1: documents and pages were removed by retention
    stopped BIGINT NOT NULL,            -- 1: ended 6002, so never the earlier copy of a later mail
    pages BIGINT,                       -- rendered pages in the file <id>-pages; NULL: not rendered yet
    render_error TEXT,                  -- why the documents cannot become pages; final
    published BIGINT NOT NULL,          -- 0: its jobs are still being written, the sender has no answer yet
    jobs BIGINT NOT NULL,
    settled BIGINT NOT NULL,
    created_at BIGINT NOT NULL
);
CREATE INDEX batch_identity ON batch(identity, created_at);
CREATE INDEX batch_history ON batch(account, created_at, id);
CREATE INDEX batch_age ON batch(created_at);
CREATE INDEX batch_kept ON batch(created_at) WHERE expired = 0;
CREATE INDEX batch_unpublished ON batch(id) WHERE published = 0;

-- Recipients for which the client said what to report (RFC 3461, NOTIFY). Others have no row.
CREATE TABLE recipient(
    id BIGINT PRIMARY KEY,
    batch BIGINT NOT NULL REFERENCES batch(id),
    address TEXT NOT NULL,              -- as it was written at RCPT; a list is one recipient
    notify BIGINT NOT NULL,             -- 1 SUCCESS, 2 FAILURE, 4 DELAY; 0: NEVER
    original TEXT,                      -- ORCPT
    envelope_id TEXT,                   -- ENVID
    return_pages BIGINT NOT NULL,       -- 1: RET=FULL
    report_to TEXT NOT NULL,
    author TEXT NOT NULL,               -- the address in From
    sent_at BIGINT                      -- Date
);
CREATE INDEX recipient_batch ON recipient(batch);

CREATE TABLE job(
    id BIGINT PRIMARY KEY,
    batch BIGINT NOT NULL REFERENCES batch(id),
    account TEXT NOT NULL,
    class BIGINT NOT NULL,              -- 0 single send, 1 member of a list
    destination TEXT NOT NULL,          -- canonical number; the name of a list that was refused whole
    contact TEXT NOT NULL,
    state BIGINT NOT NULL,              -- storage::jobs::State
    status BIGINT NOT NULL,             -- the published one
    reason TEXT,                        -- what the status alone does not say
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    owner BIGINT,
    lease_until BIGINT,
    fence BIGINT NOT NULL,
    cancel BIGINT NOT NULL DEFAULT 0,
    pages_sent BIGINT NOT NULL DEFAULT 0,
    remote_id TEXT NOT NULL DEFAULT '',
    duration_ms BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    settled_at BIGINT,
    recipient BIGINT                    -- the one it goes to; NULL: nothing was asked about it
);
CREATE UNIQUE INDEX job_once ON job(batch, destination);
CREATE INDEX job_ready ON job(account, class, id) WHERE state = 1;
CREATE INDEX job_ready_to ON job(account, class, destination) WHERE state = 1;
CREATE INDEX job_ready_anywhere ON job(destination) WHERE state = 1;
CREATE INDEX job_parked ON job(destination, class, id) WHERE state = 2;
CREATE INDEX job_open ON job(state) WHERE state < 10;
CREATE INDEX job_staged ON job(batch) WHERE state = 6;
CREATE INDEX job_active ON job(account, lease_until) WHERE state IN (3, 4);
CREATE INDEX job_waiting ON job(next_at) WHERE state IN (0, 5);
CREATE INDEX job_history ON job(account, id);
CREATE INDEX job_reported ON job(recipient, settled_at) WHERE recipient IS NOT NULL;

-- Fair share: a lane is one account's jobs of one class; the smallest vtime goes next.
CREATE TABLE lane(
    account TEXT NOT NULL,
    class BIGINT NOT NULL,
    vtime BIGINT NOT NULL,
    active BIGINT NOT NULL,
    max_calls BIGINT NOT NULL,
    PRIMARY KEY(account, class)
);
CREATE INDEX lane_next ON lane(vtime) WHERE active = 1;
-- The virtual time of the lane that went last, in one row: where a lane that was idle joins.
CREATE TABLE fair_share(vtime BIGINT NOT NULL);
INSERT INTO fair_share(vtime) VALUES(0);

-- One call at a time to a destination.
CREATE TABLE destination_slot(destination TEXT PRIMARY KEY, job BIGINT NOT NULL);

CREATE TABLE attempt(
    job BIGINT NOT NULL REFERENCES job(id),
    n BIGINT NOT NULL,
    fence BIGINT NOT NULL,
    destination TEXT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT,
    status BIGINT,
    pages_sent BIGINT NOT NULL DEFAULT 0,
    remote_id TEXT NOT NULL DEFAULT '',
    PRIMARY KEY(job, n)
);
CREATE INDEX attempt_to ON attempt(destination, started_at);

-- Mails of ours, written with the decision they tell of. One row for each recipient.
CREATE TABLE outbox(
    id BIGINT PRIMARY KEY,
    kind TEXT NOT NULL,                 -- result, report, lock, forward
    dedup TEXT NOT NULL UNIQUE,
    account TEXT NOT NULL,
    subject_id BIGINT NOT NULL,         -- batch, strike time or received fax that it tells of
    recipient TEXT NOT NULL,
    payload TEXT NOT NULL,              -- JSON, by kind
    message_id TEXT NOT NULL,
    gated BIGINT NOT NULL,              -- 1: held while the account is locked
    state BIGINT NOT NULL,              -- 0 waiting, 1 sent, 2 given up
    attempts BIGINT NOT NULL,
    next_at BIGINT NOT NULL,
    lease_until BIGINT NOT NULL,
    created_at BIGINT NOT NULL,
    ended_at BIGINT,
    last_error TEXT
);
CREATE INDEX outbox_due ON outbox(next_at) WHERE state = 0;
CREATE INDEX outbox_age ON outbox(created_at) WHERE state <> 0;
CREATE INDEX outbox_account ON outbox(account) WHERE state = 0;
CREATE INDEX outbox_subject ON outbox(kind, subject_id);

CREATE TABLE received(
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    number TEXT NOT NULL,
    call TEXT NOT NULL UNIQUE,          -- the transport's name of the call: a fax arrives once
    remote_id TEXT NOT NULL,
    pages BIGINT NOT NULL,              -- in the file <id>-received
    expired BIGINT NOT NULL DEFAULT 0,
    received_at BIGINT NOT NULL
);
CREATE INDEX received_history ON received(account, id);
CREATE INDEX received_age ON received(received_at);
CREATE INDEX received_kept ON received(received_at) WHERE expired = 0;

CREATE TABLE credential(
    account TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- config::CredentialKind
    version BIGINT NOT NULL,
    replaces BLOB NOT NULL,             -- hash of what the accounts file said: a change there ends this row's force
    hash TEXT NOT NULL,                 -- Argon2id, PHC
    changed_at BIGINT NOT NULL,
    PRIMARY KEY(account, kind)
);

CREATE TABLE strikes(
    account TEXT NOT NULL,
    reach BIGINT NOT NULL,              -- lock::Reach: 0 locks everything, 1 unproven senders and lists
    count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    locked_until BIGINT,
    PRIMARY KEY(account, reach)
);
-- A mail that was counted is not counted again: HMAC under the installation key (P4).
CREATE TABLE strike_identity(identity BLOB PRIMARY KEY, account TEXT NOT NULL, at BIGINT NOT NULL);
CREATE INDEX strike_identity_age ON strike_identity(at);

-- When the last 6002 mail about a list went out: at most one an hour.
CREATE TABLE list_notice(account TEXT NOT NULL, list TEXT NOT NULL, at BIGINT NOT NULL, PRIMARY KEY(account, list));

CREATE TABLE event(
    id BIGINT PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    account TEXT NOT NULL,
    batch BIGINT,
    job BIGINT,
    received BIGINT,
    sender TEXT,                        -- the whole reverse-path of a refused mail
    detail TEXT NOT NULL
);
CREATE INDEX event_batch ON event(batch, id);
CREATE INDEX event_job ON event(job, id);
CREATE INDEX event_received ON event(received, id);
CREATE INDEX event_account ON event(account, id);
CREATE INDEX event_age ON event(at);
CREATE INDEX event_refused ON event(id) WHERE kind = 'refused';

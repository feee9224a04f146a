-- Resets of forgotten passwords. What the mail carries is derived from `nonce` under the installation key, which is
-- kept outside the database: these rows give nobody a way in.

CREATE TABLE password_reset(
    id BIGINT PRIMARY KEY,
    account TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- config::CredentialKind of the password that it replaces
    temporary BIGINT NOT NULL,          -- 0: a link; 1: a temporary password
    nonce BLOB NOT NULL,                -- 256 random bits
    name BLOB NOT NULL UNIQUE,          -- keyed hash of what the mail carries
    binding BLOB NOT NULL,              -- keyed hash of the password's version: another one voids it
    recipient TEXT NOT NULL,
    asked_by TEXT NOT NULL,             -- the account itself, another account, or `command`
    asked_at BIGINT NOT NULL,
    ends_at BIGINT NOT NULL,
    uses BIGINT NOT NULL,               -- how often it may be used
    used BIGINT NOT NULL DEFAULT 0,
    tries BIGINT NOT NULL DEFAULT 0     -- wrong answers to what the page asks
);
CREATE INDEX password_reset_account ON password_reset(account, asked_at);
CREATE INDEX password_reset_age ON password_reset(ends_at);

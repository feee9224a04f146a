-- Since when a password is in use (row I2): what the accounts file says has no date of its own.

CREATE TABLE password_age(
    account TEXT NOT NULL,
    kind TEXT NOT NULL,                 -- config::CredentialKind
    version BLOB NOT NULL,              -- names the password: another one begins anew
    since BIGINT NOT NULL,              -- when it was changed here, else when it was first seen
    reminded_at BIGINT NOT NULL,        -- when its owner was last told; 0: not yet
    PRIMARY KEY(account, kind)
);

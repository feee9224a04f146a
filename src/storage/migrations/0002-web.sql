-- The account web: who has logged in, and wrong logins under IDs that nobody has.

CREATE TABLE web_session(
    name BLOB PRIMARY KEY,              -- BLAKE3 of the cookie's 256 random bits; the cookie itself is kept nowhere
    account TEXT NOT NULL,
    credentials BLOB NOT NULL,          -- keyed hash of the account's credentials at login: others end the session
    peer TEXT NOT NULL,
    opened_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL
);
CREATE INDEX web_session_account ON web_session(account, opened_at);
CREATE INDEX web_session_age ON web_session(seen_at);

-- HMAC under the installation key of a login ID that no account has: it is answered as if it had a lock (P7).
CREATE TABLE shadow_strikes(
    identity BLOB PRIMARY KEY,
    count BIGINT NOT NULL,
    first_at BIGINT NOT NULL,
    locked_until BIGINT
);
CREATE INDEX shadow_strikes_age ON shadow_strikes(first_at);

-- Real lines: what each call was like, how far it is, and how the next one of its job goes on.

ALTER TABLE job ADD COLUMN sub_address TEXT NOT NULL DEFAULT '';    -- whom it is for behind the number (SUB, T33S); empty: nobody
ALTER TABLE job ADD COLUMN step_down BIGINT NOT NULL DEFAULT 0;     -- fax::StepDown of the next call
ALTER TABLE job ADD COLUMN coarse BIGINT NOT NULL DEFAULT 0;        -- 1: the next call has half the lines
ALTER TABLE job ADD COLUMN waiting_since BIGINT;                    -- since when no line is in service for it; NULL: it had one
-- A job that waits for its next call is in progress; what the last one ended with stands at that call.
UPDATE job SET status = -3 WHERE state = 5 AND status >= 0;
-- Two sub-addresses of one number are two jobs.
DROP INDEX job_once;
CREATE UNIQUE INDEX job_once ON job(batch, destination, sub_address);

ALTER TABLE attempt ADD COLUMN first_page BIGINT NOT NULL DEFAULT 0;  -- pages that earlier calls had confirmed
ALTER TABLE attempt ADD COLUMN phase TEXT NOT NULL DEFAULT '';        -- how far it is, while it goes on; pages_sent too
ALTER TABLE attempt ADD COLUMN cause TEXT;                            -- fax::Cause; NULL: sent, or not ended
ALTER TABLE attempt ADD COLUMN line TEXT NOT NULL DEFAULT '';
ALTER TABLE attempt ADD COLUMN media TEXT;                            -- fax::Media
ALTER TABLE attempt ADD COLUMN rate BIGINT NOT NULL DEFAULT 0;        -- bits a second
ALTER TABLE attempt ADD COLUMN ecm BIGINT NOT NULL DEFAULT 0;
ALTER TABLE attempt ADD COLUMN sip BIGINT;                            -- the last status code
ALTER TABLE attempt ADD COLUMN t30 BIGINT;                            -- completion code of the engine
ALTER TABLE attempt ADD COLUMN detail TEXT NOT NULL DEFAULT '';

-- Faxes whose call ended before their last page was confirmed.

ALTER TABLE received ADD COLUMN partial BIGINT NOT NULL DEFAULT 0;  -- 1: further pages may have been on their way

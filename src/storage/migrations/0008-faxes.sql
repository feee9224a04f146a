-- The history of the account web at a million faxes: totals of a submission, searches that read what they show.

ALTER TABLE batch ADD COLUMN sent BIGINT NOT NULL DEFAULT 0;        -- of the settled jobs, those that were sent
UPDATE batch SET sent = (SELECT COUNT(*) FROM job WHERE job.batch = batch.id AND job.status = 0);
CREATE INDEX batch_lines ON batch(account, id);

CREATE INDEX job_failed ON job(account, id) WHERE status > 0;
CREATE INDEX job_unsettled ON job(account, id) WHERE status < 0;
CREATE INDEX job_settled ON job(account, status, id) WHERE status >= 0;
CREATE INDEX job_to ON job(account, destination, id);

ALTER TABLE received ADD COLUMN read_at BIGINT;                     -- when somebody marked it as read; NULL: unread

-- name: left_sending
SELECT edition, attempts FROM outbox WHERE state = 'sending' AND claimed_by IS NOT :owner

-- name: recover_sending
UPDATE outbox SET state = :state, not_before = :now, claimed_by = NULL, reason = :reason, changed_at = :now
WHERE edition = :edition AND state = 'sending' AND claimed_by IS NOT :owner

-- name: recover_claimed
UPDATE outbox SET state = 'ready', claimed_by = NULL, changed_at = :now
WHERE state = 'claimed' AND claimed_by IS NOT :owner

-- name: bring_forward
UPDATE outbox SET not_before = :now, changed_at = :now WHERE state = 'ready' AND not_before > :latest

-- name: has_work
SELECT EXISTS (SELECT 1 FROM outbox AS o JOIN edition AS e ON e.pk = o.edition
               JOIN subscriber AS s ON s.pk = e.subscriber
               WHERE o.state = 'ready' AND o.not_before <= :now AND (s.state NOT IN ('paused', 'pending') OR e.kind = 'confirm'))
    OR EXISTS (SELECT 1 FROM outbox WHERE state = 'claimed') OR EXISTS (SELECT 1 FROM outbox WHERE state = 'sending')
    OR EXISTS (SELECT 1 FROM outbox WHERE state = 'ready' AND not_before > :latest)

-- A question whether to subscribe goes to those who are not active, but to nobody who said since not to be asked.
-- name: unwanted
UPDATE outbox SET state = 'cancelled', reason = :reason, claimed_by = NULL, changed_at = :now
WHERE edition IN (
    SELECT o.edition FROM outbox AS o JOIN edition AS e ON e.pk = o.edition JOIN subscriber AS s ON s.pk = e.subscriber
    WHERE o.state = 'ready' AND o.not_before <= :now
    AND CASE e.kind WHEN 'confirm' THEN s.state = 'suppressed' OR s.left_at >= e.composed_at
                    ELSE s.state IN ('unsubscribed', 'suppressed') END
    ORDER BY o.not_before LIMIT :limit
) AND state = 'ready'
RETURNING edition, attempts

-- name: claim
UPDATE outbox SET state = 'claimed', claimed_by = :owner, attempts = attempts + 1, changed_at = :now
WHERE edition IN (
    SELECT o.edition FROM outbox AS o JOIN edition AS e ON e.pk = o.edition JOIN subscriber AS s ON s.pk = e.subscriber
    WHERE o.state = 'ready' AND o.not_before <= :now AND (s.state = 'active' OR e.kind = 'confirm')
    ORDER BY o.not_before LIMIT :limit
) AND state = 'ready'
RETURNING edition

-- name: claims
SELECT o.edition, e.id, e.email, o.attempts, e.composed_at, o.sha256
FROM outbox AS o JOIN edition AS e ON e.pk = o.edition
WHERE o.edition IN (SELECT value FROM json_each(:editions))
ORDER BY o.not_before, o.edition

-- name: begin_sending
UPDATE outbox SET state = 'sending', sha256 = :sha256, changed_at = :now
WHERE edition = :edition AND state = 'claimed' AND claimed_by = :owner
AND EXISTS (SELECT 1 FROM edition AS e JOIN subscriber AS s ON s.pk = e.subscriber
            WHERE e.pk = :edition
            AND CASE e.kind WHEN 'confirm' THEN s.state != 'suppressed' AND coalesce(s.left_at, 0) < e.composed_at
                            ELSE s.state = 'active' END)

-- name: transition
UPDATE outbox
SET state = :target, not_before = coalesce(:not_before, not_before), reason = :reason, changed_at = :now,
    claimed_by = NULL, attempts = attempts - :taken_back
WHERE edition = :edition AND state = :source AND claimed_by = :owner

-- name: write_ledger
INSERT INTO ledger (edition, at, state, attempt, phase, code, reply)
SELECT :edition, :at, :state, attempts + :taken_back, :phase, :code, :reply FROM outbox WHERE edition = :edition

-- name: release
UPDATE outbox SET state = 'ready', claimed_by = NULL, attempts = attempts - 1, changed_at = :now
WHERE state = 'claimed' AND claimed_by = :owner

-- name: counts
SELECT state, count(*) FROM outbox GROUP BY state

-- name: next_at
SELECT min(o.not_before)
FROM outbox AS o JOIN edition AS e ON e.pk = o.edition JOIN subscriber AS s ON s.pk = e.subscriber
WHERE o.state = 'ready' AND (s.state NOT IN ('paused', 'pending') OR e.kind = 'confirm')

-- name: rows
SELECT o.edition, e.id, e.email, e.issue, o.state, o.attempts, o.not_before, o.changed_at, o.reason
FROM outbox AS o JOIN edition AS e ON e.pk = o.edition
WHERE CASE WHEN :state = '' THEN o.state != 'sent' ELSE o.state = :state END
ORDER BY o.edition DESC LIMIT :limit

-- name: row
SELECT o.edition, e.id, e.email, e.issue, o.state, o.attempts, o.not_before, o.changed_at, o.reason
FROM outbox AS o JOIN edition AS e ON e.pk = o.edition
WHERE o.edition IN (
    SELECT edition FROM outbox WHERE edition = :number UNION SELECT pk FROM edition WHERE id >= :first AND id < :beyond
)
LIMIT 2

-- name: ledger
SELECT at, state, attempt, phase, code, reply FROM ledger WHERE edition = :edition ORDER BY pk

-- name: settle
UPDATE outbox SET state = :target, not_before = :now, reason = :reason, changed_at = :now, claimed_by = NULL
WHERE edition = :edition AND state IN (SELECT value FROM json_each(:source))

-- What a crash left. The attempt stays counted, and so is the crash: an edition that ends the program three times with
-- nothing else in hand is set aside. `crashes` is one more than those times.
-- name: left_behind
SELECT edition, state, crashes FROM outbox WHERE claimed_by IS NOT NULL AND claimed_by != :owner

-- name: recover
UPDATE outbox
SET state = :state, crashes = :crashes, claimed_by = NULL, changed_at = :now,
    not_before = coalesce(:not_before, not_before), reason = coalesce(:reason, reason)
WHERE edition = :edition AND state IN ('claimed', 'sending') AND claimed_by IS NOT :owner

-- name: bring_forward
UPDATE outbox SET not_before = :now, changed_at = :now WHERE state = 'ready' AND not_before > :latest

-- name: has_work
SELECT EXISTS (SELECT 1 FROM outbox AS o JOIN edition AS e ON e.pk = o.edition
               JOIN subscriber AS s ON s.pk = e.subscriber
               WHERE o.state = 'ready' AND o.not_before <= :now AND (s.state NOT IN ('paused', 'pending') OR e.kind IN ('confirm', 'notice')))
    OR EXISTS (SELECT 1 FROM outbox WHERE claimed_by IS NOT NULL)
    OR EXISTS (SELECT 1 FROM outbox WHERE state = 'ready' AND not_before > :latest)

-- What the next claim concerns, in the order of time. `is_unwanted` are those whose reader left meanwhile; what waits for
-- a reader who is paused is not among them.
-- A question whether to subscribe goes to those who are not active, but to nobody who said since not to be asked.
-- A notice goes to the operator, whatever they follow as a reader (docs/decisions/0011-notices.md).
-- name: next
SELECT o.edition, e.id, e.email, o.attempts, e.composed_at, o.sha256, o.crashes,
       CASE e.kind WHEN 'confirm' THEN s.state = 'suppressed' OR coalesce(s.left_at, 0) >= e.composed_at
                   WHEN 'notice' THEN s.state = 'suppressed'
                   ELSE s.state != 'active' END AS is_unwanted
FROM outbox AS o CROSS JOIN edition AS e ON e.pk = o.edition CROSS JOIN subscriber AS s ON s.pk = e.subscriber
WHERE o.state = 'ready' AND o.not_before <= :now
      AND (s.state NOT IN ('paused', 'pending') OR e.kind IN ('confirm', 'notice'))
ORDER BY o.not_before, o.edition LIMIT :limit

-- One that was in hand when the program ended goes alone, so that no other is blamed if it ends again.
-- name: suspect
SELECT o.edition, e.id, e.email, o.attempts, e.composed_at, o.sha256, o.crashes, 0 AS is_unwanted
FROM outbox AS o JOIN edition AS e ON e.pk = o.edition JOIN subscriber AS s ON s.pk = e.subscriber
WHERE o.state = 'ready' AND o.crashes > 0 AND o.not_before <= :now AND s.state = 'active'
ORDER BY o.crashes, o.not_before LIMIT 1

-- name: claim
UPDATE outbox SET state = 'claimed', claimed_by = :owner, attempts = attempts + 1, changed_at = :now
WHERE edition IN (SELECT value FROM json_each(:editions)) AND state = 'ready'

-- name: cancel
UPDATE outbox SET state = 'cancelled', reason = :reason, changed_at = :now WHERE edition = :edition AND state = 'ready'

-- The next three take a whole batch as one statement: the row of values is written as often as there are rows. A
-- thread that runs one gives the interpreter away once, and not once for each row. No value is NULL but 0 or '': to bind
-- anything but a plain number or text, Python looks for what could adapt it.
-- name: begin_sending
UPDATE outbox SET state = 'sending', sha256 = b.sha256, changed_at = b.at
FROM (SELECT column1 AS edition, column2 AS sha256, column3 AS at FROM (VALUES (?, ?, ?))) AS b
WHERE outbox.edition = b.edition AND +outbox.state = 'claimed' AND +outbox.claimed_by = ?  -- by pk, not by claim
AND EXISTS (SELECT 1 FROM edition AS e JOIN subscriber AS s ON s.pk = e.subscriber
            WHERE e.pk = outbox.edition
            AND CASE e.kind WHEN 'confirm' THEN s.state != 'suppressed' AND coalesce(s.left_at, 0) < e.composed_at
                            WHEN 'notice' THEN s.state != 'suppressed'
                            ELSE s.state = 'active' END)

-- name: transition
UPDATE outbox
SET state = b.target, not_before = coalesce(nullif(b.not_before, 0), outbox.not_before), reason = b.reason, changed_at = b.at,
    claimed_by = NULL, attempts = attempts - b.taken_back, crashes = 0
FROM (SELECT column1 AS edition, column2 AS source, column3 AS target, column4 AS at, column5 AS not_before,
             column6 AS reason, column7 AS taken_back
      FROM (VALUES (?, ?, ?, ?, ?, ?, ?))) AS b
WHERE outbox.edition = b.edition AND +outbox.state = b.source AND +outbox.claimed_by = ?

-- name: write_ledgers
INSERT INTO ledger (edition, at, state, attempt, phase, code, reply)
SELECT o.edition, b.at, b.state, o.attempts + b.taken_back, nullif(b.phase, ''), nullif(b.code, 0), b.reply
FROM (SELECT column1 AS edition, column2 AS at, column3 AS state, column4 AS taken_back, column5 AS phase,
             column6 AS code, column7 AS reply
      FROM (VALUES (?, ?, ?, ?, ?, ?, ?))) AS b
CROSS JOIN outbox AS o ON o.edition = b.edition

-- name: write_ledger
INSERT INTO ledger (edition, at, state, attempt, phase, code, reply)
SELECT :edition, :at, :state, attempts, NULL, NULL, :reply FROM outbox WHERE edition = :edition

-- name: release
UPDATE outbox SET state = 'ready', claimed_by = NULL, attempts = attempts - 1, changed_at = :now
WHERE state = 'claimed' AND claimed_by = :owner

-- name: counts
SELECT state, count(*) FROM outbox GROUP BY state

-- name: coming
SELECT edition FROM outbox WHERE state = 'ready' AND not_before <= :now ORDER BY not_before, edition LIMIT :most

-- name: rows
SELECT o.edition, e.id, e.email, e.issue, o.state, o.attempts, o.not_before, o.changed_at, o.reason
FROM outbox AS o JOIN edition AS e ON e.pk = o.edition
WHERE CASE WHEN :state = '' THEN o.state != 'sent' ELSE o.state = :state END AND o.edition < :before
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

-- name: by_address
SELECT s.pk, s.state, s.state_by, s.left_at,
       EXISTS (SELECT 1 FROM signup AS g WHERE g.subscriber = s.pk AND g.refused_at IS NOT NULL) AS has_refused
FROM subscriber AS s WHERE s.address = :address

-- name: since
SELECT count(*) FROM signup WHERE mailbox = :mailbox AND asked_at > :since

-- name: of_network
SELECT count(*) FROM signup WHERE network = :network AND asked_at > :since

-- name: of_domain
SELECT count(*) FROM signup WHERE domain = :domain AND asked_at > :since

-- name: of_everybody
SELECT count(*) FROM signup WHERE asked_at > :since

-- name: insert
INSERT INTO signup (subscriber, mailbox, domain, network, name, spec, asked_at)
VALUES (:subscriber, :mailbox, :domain, :network, :name, :spec, :now)
RETURNING pk

-- name: find
SELECT g.pk, g.subscriber, g.name, g.asked_at, g.confirmed_at, g.refused_at, c.content, s.email, s.name AS person, s.timezone,
       s.state, s.state_by,
       EXISTS (SELECT 1 FROM signup AS n WHERE n.subscriber = g.subscriber AND n.pk > g.pk) AS is_older
FROM signup AS g JOIN spec AS c ON c.pk = g.spec JOIN subscriber AS s ON s.pk = g.subscriber
WHERE g.pk = :pk

-- name: confirm
UPDATE signup SET confirmed_at = :now WHERE pk = :pk AND confirmed_at IS NULL

-- name: refuse
UPDATE signup SET refused_at = :now WHERE pk = :pk AND refused_at IS NULL

-- name: activate
UPDATE subscriber
SET state = 'active', state_by = 'reader', left_at = NULL, paused_until = NULL, changed_at = :now,
    origin = CASE state WHEN 'pending' THEN 'reader' ELSE origin END,
    timezone = CASE origin WHEN 'file' THEN timezone ELSE :timezone END
WHERE pk = :pk

-- name: insert_letter
INSERT INTO edition (id, subscriber, issue, cadence, kind, letter, composed_at, considered, snapshot, email, name,
                     timezone)
SELECT :id, pk, :issue, 'immediate', :kind, :letter, :now, 0, :snapshot, email, name, timezone
FROM subscriber WHERE pk = :subscriber
RETURNING pk

-- name: insert_outbox
INSERT INTO outbox (edition, state, not_before, changed_at) VALUES (:edition, 'ready', :now, :now)

-- Who was asked and has not answered: of those whose link has long ended, and who said nothing else, nothing is kept.
-- name: stale
SELECT DISTINCT g.subscriber
FROM signup AS g INDEXED BY signup_unanswered JOIN subscriber AS s ON s.pk = g.subscriber
WHERE g.confirmed_at IS NULL AND g.refused_at IS NULL AND g.mailbox != '' AND g.asked_at < :before
AND s.state = 'pending' AND s.origin = 'reader' AND s.left_at IS NULL
AND NOT EXISTS (SELECT 1 FROM signup AS n
                WHERE n.subscriber = g.subscriber AND (n.asked_at >= :before OR n.refused_at IS NOT NULL))
LIMIT :limit

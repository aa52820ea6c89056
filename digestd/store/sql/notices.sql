-- name: told
SELECT key, sentence, told_at, lasts FROM told ORDER BY key

-- name: keep
INSERT INTO told (key, sentence, told_at, lasts) VALUES (:key, :sentence, :told_at, :lasts)
ON CONFLICT (key) DO UPDATE SET sentence = excluded.sentence, told_at = excluded.told_at, lasts = excluded.lasts

-- name: newest
SELECT max(ingested_at) FROM paper

-- name: late
SELECT count(*) FROM outbox AS o JOIN edition AS e ON e.pk = o.edition JOIN subscriber AS s ON s.pk = e.subscriber
WHERE o.state = 'ready' AND e.composed_at < :before AND (s.state = 'active' OR e.kind = 'confirm')

-- name: operator
SELECT pk FROM subscriber WHERE address = :address

-- name: insert_letter
INSERT INTO edition (id, subscriber, issue, cadence, kind, letter, composed_at, considered, snapshot, email, name,
                     timezone)
SELECT :id, pk, :issue, 'immediate', 'notice', :letter, :now, 0, :snapshot, email, name, timezone
FROM subscriber WHERE pk = :subscriber
RETURNING pk

-- name: insert_outbox
INSERT INTO outbox (edition, state, not_before, changed_at) VALUES (:edition, 'ready', :now, :now)

-- name: last
SELECT name FROM grammar

-- name: read_with
INSERT INTO grammar (one, name) VALUES (1, :name) ON CONFLICT (one) DO UPDATE SET name = excluded.name

-- name: in_use
SELECT s.pk, s.content FROM spec AS s
WHERE s.pk > :after AND EXISTS (SELECT 1 FROM profile AS p WHERE p.spec = s.pk AND p.active = 1)
ORDER BY s.pk LIMIT :limit

-- name: followers
SELECT p.pk, p.subscriber, p.name, s.state FROM profile AS p JOIN subscriber AS s ON s.pk = p.subscriber
WHERE p.spec = :spec AND p.active = 1 ORDER BY p.pk

-- name: insert_letter
INSERT INTO edition (id, subscriber, issue, cadence, kind, letter, composed_at, considered, snapshot, email, name,
                     timezone)
SELECT :id, pk, :issue, 'immediate', 'mistake', :letter, :now, 0, :snapshot, email, name, timezone
FROM subscriber WHERE pk = :subscriber
RETURNING pk

-- name: insert_outbox
INSERT INTO outbox (edition, state, not_before, changed_at) VALUES (:edition, 'ready', :now, :now)

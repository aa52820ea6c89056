-- name: key
SELECT value FROM secret WHERE name = 'signing key'

-- Each arm walks its index from the oldest and stops at the limit: among a million due, a batch reads a batch.
-- name: due
SELECT s.pk, s.email, s.name, s.timezone, s.quiet_hours,
       p.pk, p.name, p.spec, c.content, g.cadence, g.issue, g.horizon, g.due_at
FROM (
    SELECT subscriber, min(due_at) AS since FROM (
        SELECT * FROM (
            SELECT p.subscriber, g.due_at FROM progress AS g
            CROSS JOIN profile AS p ON p.pk = g.profile AND p.active = 1
            CROSS JOIN subscriber AS s ON s.pk = p.subscriber AND s.state = 'active'
            WHERE g.wanted = 1 AND g.due_at <= :now ORDER BY g.due_at LIMIT :limit
        )
        UNION ALL
        SELECT * FROM (
            SELECT p.subscriber, 0 FROM progress AS g
            CROSS JOIN profile AS p ON p.pk = g.profile AND p.active = 1
            CROSS JOIN subscriber AS s ON s.pk = p.subscriber AND s.state = 'active'
            WHERE g.wanted = 1 AND g.due_at IS NULL AND coalesce(g.horizon, -1) < :newest LIMIT :limit
        )
    )
    GROUP BY subscriber ORDER BY since, subscriber LIMIT :limit
) AS due
CROSS JOIN subscriber AS s ON s.pk = due.subscriber
CROSS JOIN profile AS p ON p.subscriber = s.pk AND p.active = 1
CROSS JOIN spec AS c ON c.pk = p.spec
CROSS JOIN progress AS g ON g.profile = p.pk
WHERE g.due_at <= :now OR (g.due_at IS NULL AND coalesce(g.horizon, -1) < :newest)
ORDER BY due.since, s.pk, p.position, p.pk, g.cadence

-- name: subscriber
SELECT pk, email, name, timezone, quiet_hours FROM subscriber WHERE pk = :pk

-- name: next_due
SELECT min(due_at) FROM progress WHERE wanted = 1 AND due_at > :after

-- name: alerts_since
SELECT count(*) FROM edition
WHERE subscriber = :subscriber AND cadence = 'immediate' AND kind = 'digest' AND composed_at >= :since

-- name: is_ahead
SELECT EXISTS (SELECT 1 FROM progress WHERE wanted = 1 AND due_at > :latest)

-- What was composed under the clock that ran ahead stays composed; each cadence goes on from before it.
-- name: realign
UPDATE progress
SET due_at = 0,
    issue = CASE WHEN cadence = 'immediate' THEN issue
                 ELSE (SELECT max(e.issue) FROM edition_profile AS e
                       WHERE e.profile = progress.profile AND e.issue LIKE progress.cadence || ':%'
                       AND e.issue <= CASE progress.cadence WHEN 'daily' THEN :last_day ELSE :last_week END) END
WHERE wanted = 1 AND due_at > :latest

-- name: realign_alerts
UPDATE progress SET due_at = 0 WHERE wanted = 1 AND due_at > :now AND cadence = 'immediate'

-- name: realign_outbox
UPDATE outbox SET not_before = :now WHERE state = 'ready' AND not_before > :now

-- name: progress
SELECT p.pk, p.name, p.spec, c.content, g.cadence, g.issue, g.horizon, g.due_at
FROM profile AS p JOIN spec AS c ON c.pk = p.spec JOIN progress AS g ON g.profile = p.pk
WHERE p.subscriber = :subscriber AND p.active = 1
ORDER BY p.position, p.pk, g.cadence

-- name: announced
SELECT a.subscriber, coalesce(p.same_as, p.pk), a.revision, e.cadence, a.profile
FROM edition_paper AS a JOIN edition AS e ON e.pk = a.edition JOIN paper AS p ON p.pk = a.paper
WHERE a.subscriber IN (SELECT value FROM json_each(:subscribers)) AND a.paper > :after
ORDER BY a.subscriber, a.paper

-- name: keep_snapshot
INSERT INTO snapshot (sha256, content) VALUES (:sha256, :content) ON CONFLICT (sha256) DO NOTHING

-- name: snapshot
SELECT content FROM snapshot WHERE sha256 = :sha256

-- Many at a time, so by place: see `store.saving` for the order.
-- name: advance
UPDATE progress SET issue = b.issue, horizon = b.horizon, due_at = b.due_at
FROM (SELECT column1 AS issue, column2 AS horizon, column3 AS due_at, column4 AS profile, column5 AS cadence,
             column6 AS was, column7 AS spec
      FROM (VALUES (?, ?, ?, ?, ?, ?, ?))) AS b
JOIN profile AS p ON p.pk = b.profile AND p.spec = b.spec AND p.active = 1
WHERE progress.profile = b.profile AND progress.cadence = b.cadence AND progress.issue IS b.was

-- name: insert_edition
INSERT INTO edition (pk, id, subscriber, issue, cadence, composed_at, considered, already, quiet_since, snapshot,
                     email, name, timezone)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: newest_edition
SELECT coalesce(max(pk), 0) FROM edition

-- name: insert_section
INSERT INTO edition_profile (profile, issue, edition, position, name, spec, matched, looked, hits,
                             below, excluded, alerted, elsewhere)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_entry
INSERT INTO edition_paper
    (subscriber, paper, edition, profile, position, revision, place, score, standing, queries, moved)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_outbox
INSERT INTO outbox (edition, state, not_before, changed_at)
SELECT pk, 'ready', composed_at, composed_at FROM edition WHERE pk >= :first

-- name: editions
SELECT pk, already, snapshot, letter, quiet_since, subscriber, email, name, timezone, id, issue, cadence, composed_at,
       considered
FROM edition WHERE pk IN (SELECT value FROM json_each(:pks))

-- name: sections
SELECT edition, profile, name, matched, below, excluded, alerted, elsewhere FROM edition_profile
WHERE edition IN (SELECT value FROM json_each(:pks))
ORDER BY edition, position

-- name: entries
SELECT e.edition, e.profile, e.revision, e.place, e.score, e.standing, e.queries, e.moved
FROM edition_paper AS e
WHERE e.edition IN (SELECT value FROM json_each(:pks))
ORDER BY e.edition, e.position

-- name: revisions
SELECT r.pk AS revision, p.pk, r.id, p.ingested_at, r.title, r.authors, r.abstract, r.url, r.published, r.categories,
       r.source, r.version, r.votes, r.details
FROM revision AS r JOIN paper AS p ON p.pk = r.paper
WHERE r.pk IN (SELECT value FROM json_each(:pks))

-- name: announcement
SELECT e.edition, e.revision, e.place, e.score, e.standing, e.queries, e.moved
FROM edition_paper AS e
WHERE e.subscriber = :subscriber
AND e.paper IN (SELECT :paper UNION ALL SELECT pk FROM paper WHERE same_as = :paper)

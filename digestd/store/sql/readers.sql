-- name: history
SELECT e.pk, e.id, e.issue, e.composed_at, o.state,
       (SELECT count(*) FROM edition_paper AS p WHERE p.edition = e.pk) AS papers
FROM edition AS e JOIN outbox AS o ON o.edition = e.pk
WHERE e.subscriber = :subscriber AND e.kind = 'digest'
ORDER BY e.pk DESC LIMIT :limit

-- name: edition
SELECT pk FROM edition WHERE subscriber = :subscriber AND id = :id AND kind = 'digest'

-- name: person
SELECT email, name, timezone, quiet_hours, state, state_by, origin, left_at, paused_until, changed_at
FROM subscriber WHERE pk = :subscriber

-- name: profiles
SELECT p.name, p.active, c.content FROM profile AS p JOIN spec AS c ON c.pk = p.spec
WHERE p.subscriber = :subscriber ORDER BY p.active DESC, p.position, p.pk

-- name: editions
SELECT e.id, e.issue, e.kind, e.letter, e.composed_at, e.email, e.name, e.timezone, o.state, o.attempts, o.reason
FROM edition AS e JOIN outbox AS o ON o.edition = e.pk WHERE e.subscriber = :subscriber ORDER BY e.pk

-- name: papers
SELECT e.id AS edition, r.id AS paper, r.title, p.place, p.score, p.queries
FROM edition_paper AS p JOIN edition AS e ON e.pk = p.edition JOIN revision AS r ON r.pk = p.revision
WHERE p.subscriber = :subscriber ORDER BY p.edition, p.position

-- name: attempts
SELECT e.id AS edition, l.at, l.state, l.attempt, l.phase, l.code, l.reply
FROM ledger AS l JOIN edition AS e ON e.pk = l.edition WHERE e.subscriber = :subscriber ORDER BY l.pk

-- name: signups
SELECT mailbox, network, name, asked_at, confirmed_at, refused_at FROM signup WHERE subscriber = :subscriber ORDER BY pk

-- name: forget_person
UPDATE subscriber
SET address = 'forgotten:' || pk, email = 'forgotten-' || pk || '@invalid', name = '', timezone = 'UTC',
    quiet_hours = '', state = 'unsubscribed', state_by = 'reader', origin = 'reader', left_at = :now,
    paused_until = NULL, changed_at = :now
WHERE pk = :subscriber

-- name: forget_profiles
UPDATE profile SET name = 'forgotten ' || pk, spec = :spec, active = 0 WHERE subscriber = :subscriber

-- name: forget_progress
DELETE FROM progress WHERE profile IN (SELECT pk FROM profile WHERE subscriber = :subscriber)

-- name: forget_editions
UPDATE edition SET email = 'forgotten-' || subscriber || '@invalid', name = '', timezone = 'UTC', letter = NULL
WHERE subscriber = :subscriber

-- name: forget_sections
UPDATE edition_profile SET name = '', spec = :spec
WHERE edition IN (SELECT pk FROM edition WHERE subscriber = :subscriber)

-- name: forget_queries
UPDATE edition_paper SET queries = '[]', moved = '' WHERE subscriber = :subscriber

-- name: opinions
SELECT r.id AS paper, r.title, o.wish, o.said_at
FROM opinion AS o JOIN paper AS p ON p.pk = o.paper JOIN revision AS r ON r.pk = p.revision
WHERE o.subscriber = :subscriber ORDER BY o.said_at, o.paper

-- name: leanings
SELECT active, terms, learned_at FROM leaning WHERE subscriber = :subscriber

-- name: forget_opinions
DELETE FROM opinion WHERE subscriber = :subscriber

-- name: forget_leanings
DELETE FROM leaning WHERE subscriber = :subscriber

-- name: forget_signups
UPDATE signup SET mailbox = '', domain = '', network = '', name = '', spec = :spec WHERE subscriber = :subscriber

-- name: cancel
UPDATE outbox SET state = 'cancelled', reason = :reason, claimed_by = NULL, changed_at = :now
WHERE state IN ('ready', 'claimed', 'failed', 'uncertain')
AND edition IN (SELECT pk FROM edition WHERE subscriber = :subscriber)
RETURNING edition, attempts

-- name: write_ledger
INSERT INTO ledger (edition, at, state, attempt, reply) VALUES (:edition, :now, 'cancelled', :attempts, :reason)

-- Search words that nobody has any more; those that others share are theirs.
-- name: drop_specs
DELETE FROM spec WHERE pk IN (SELECT value FROM json_each(:specs))
AND NOT EXISTS (SELECT 1 FROM profile WHERE profile.spec = spec.pk)
AND NOT EXISTS (SELECT 1 FROM edition_profile WHERE edition_profile.spec = spec.pk)
AND NOT EXISTS (SELECT 1 FROM signup WHERE signup.spec = spec.pk)

-- name: specs
SELECT spec FROM profile WHERE subscriber = :subscriber
UNION SELECT s.spec FROM edition_profile AS s JOIN edition AS e ON e.pk = s.edition WHERE e.subscriber = :subscriber
UNION SELECT spec FROM signup WHERE subscriber = :subscriber

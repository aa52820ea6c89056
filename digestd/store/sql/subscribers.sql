-- name: page
SELECT pk, address, email, name, timezone, quiet_hours, state, state_by, origin, left_at, paused_until
FROM subscriber WHERE address > :after ORDER BY address LIMIT :limit

-- name: search
SELECT pk, address, email, name, timezone, quiet_hours, state, state_by, origin, left_at, paused_until
FROM subscriber
WHERE address > :after AND address NOT LIKE 'forgotten:%'
AND (:said = '' OR instr(address, :said) > 0 OR instr(lower(name), :said) > 0)
ORDER BY address LIMIT :limit

-- name: by_address
SELECT pk, address, email, name, timezone, quiet_hours, state, state_by, origin, left_at, paused_until
FROM subscriber WHERE address = :address

-- name: by_pk
SELECT pk, address, email, name, timezone, quiet_hours, state, state_by, origin, left_at, paused_until
FROM subscriber WHERE pk = :pk

-- name: of_file
SELECT pk, address FROM subscriber WHERE origin = 'file' AND state NOT IN ('unsubscribed', 'suppressed')

-- name: addresses
SELECT address FROM subscriber

-- name: insert
INSERT INTO subscriber
    (address, email, name, timezone, quiet_hours, state, state_by, origin, left_at, paused_until, changed_at)
VALUES (:address, :email, :name, :timezone, :quiet_hours, :state, :by, :origin, :left_at, :until, :now)
RETURNING pk

-- name: update
UPDATE subscriber
SET email = :email, name = :name, timezone = :timezone, quiet_hours = :quiet_hours, origin = :origin, changed_at = :now
WHERE pk = :pk

-- name: set_state
UPDATE subscriber SET state = :state, state_by = :by, paused_until = NULL, changed_at = :now WHERE pk = :pk

-- name: rested
SELECT EXISTS (SELECT 1 FROM subscriber WHERE state = 'paused' AND paused_until <= :now)

-- name: wake
UPDATE subscriber SET state = 'active', paused_until = NULL, changed_at = :now
WHERE state = 'paused' AND paused_until <= :now

-- name: set_state_and_wish
UPDATE subscriber SET state = :state, state_by = :by, left_at = :left_at, paused_until = :until, changed_at = :now
WHERE pk = :pk

-- name: profiles_of
SELECT p.pk, p.subscriber, p.name, p.spec, p.position, s.content
FROM profile AS p JOIN spec AS s ON s.pk = p.spec
WHERE p.active = 1 AND p.subscriber = :subscriber
ORDER BY p.position, p.pk

-- name: profiles_of_page
SELECT p.pk, p.subscriber, p.name, p.spec, p.position, s.content
FROM profile AS p JOIN spec AS s ON s.pk = p.spec
WHERE p.active = 1 AND p.subscriber IN (SELECT value FROM json_each(:subscribers))
ORDER BY p.subscriber, p.position, p.pk

-- name: spec
SELECT pk FROM spec WHERE digest = :digest AND content = :content

-- name: insert_spec
INSERT INTO spec (digest, content) VALUES (:digest, :content) RETURNING pk

-- name: put_profile
INSERT INTO profile (subscriber, name, spec, position, active) VALUES (:subscriber, :name, :spec, :position, 1)
ON CONFLICT (subscriber, name) DO UPDATE SET spec = excluded.spec, position = excluded.position, active = 1
RETURNING pk

-- name: retire_profile
UPDATE profile SET active = 0 WHERE pk = :pk

-- A cadence goes on where it was left, if ever, and looks at all that the one it replaces (:before) did not.
-- name: put_progress
INSERT INTO progress (profile, cadence, issue, horizon, due_at, wanted)
VALUES (:profile, :cadence,
        (SELECT max(issue) FROM edition_profile WHERE profile = :profile AND issue LIKE :cadence || ':%'),
        (SELECT horizon FROM progress WHERE profile = :profile AND cadence = :before),
        :due_at,
        (SELECT p.active AND s.state = 'active' FROM profile AS p JOIN subscriber AS s ON s.pk = p.subscriber
         WHERE p.pk = :profile))
ON CONFLICT (profile, cadence) DO UPDATE SET
    due_at = excluded.due_at, horizon = coalesce(min(horizon, excluded.horizon), horizon, excluded.horizon)

-- name: drop_progress
DELETE FROM progress WHERE profile = :profile AND cadence NOT IN (:first, :second)

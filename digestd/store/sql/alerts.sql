-- name: waiting
SELECT g.profile, p.spec, g.horizon FROM progress AS g
CROSS JOIN profile AS p ON p.pk = g.profile AND p.active = 1
CROSS JOIN subscriber AS s ON s.pk = p.subscriber AND s.state = 'active'
WHERE g.wanted = 1 AND g.due_at IS NULL AND coalesce(g.horizon, -1) < :newest AND g.horizon IS NOT NULL

-- name: specs
SELECT pk, content FROM spec WHERE pk IN (SELECT value FROM json_each(:pks))

-- name: pass_over
UPDATE progress SET horizon = :newest
WHERE profile = :profile AND cadence = 'immediate' AND horizon = :horizon
AND EXISTS (SELECT 1 FROM profile WHERE pk = :profile AND spec = :spec AND active = 1)

-- name: of
SELECT s.name, c.content, s.issue, s.matched, s.looked, s.hits,
       (SELECT count(*) FROM edition_paper AS o WHERE o.edition = s.edition AND o.profile = s.profile) AS placed,
       CASE e.place WHEN 'folded' THEN (
           SELECT r.title FROM edition_paper AS o JOIN revision AS r ON r.pk = o.revision
           WHERE o.edition = e.edition AND o.position < e.position AND o.place = 'card'
           ORDER BY o.position DESC LIMIT 1
       ) END AS card
FROM edition_paper AS e
JOIN edition_profile AS s ON s.edition = e.edition AND s.profile = e.profile
JOIN spec AS c ON c.pk = s.spec
WHERE e.subscriber = :subscriber
AND e.paper IN (SELECT :paper UNION ALL SELECT pk FROM paper WHERE same_as = :paper)

-- name: after
SELECT s.name, c.content, s.issue, s.matched, s.looked, s.hits, NULL AS card,
       (SELECT count(*) FROM edition_paper AS o WHERE o.edition = s.edition AND o.profile = s.profile) AS placed
FROM edition_profile AS s
JOIN edition AS e ON e.pk = s.edition AND e.cadence = :cadence AND e.composed_at >= :moment
JOIN spec AS c ON c.pk = s.spec
WHERE s.profile = :profile
ORDER BY e.pk LIMIT 1

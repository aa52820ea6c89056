-- name: of
SELECT subscriber, terms, learned_at FROM leaning
WHERE active = 1 AND subscriber IN (SELECT value FROM json_each(:subscribers))

-- name: said
SELECT l.active, l.terms, l.learned_at,
       (SELECT count(*) FROM opinion AS o WHERE o.subscriber = l.subscriber) AS opinions
FROM leaning AS l WHERE l.subscriber = :subscriber

-- name: wishes
SELECT e.position, o.wish FROM edition_paper AS e JOIN opinion AS o ON o.subscriber = e.subscriber AND o.paper = e.paper
WHERE e.subscriber = :subscriber AND e.edition = :edition

-- name: paper
SELECT paper FROM edition_paper WHERE subscriber = :subscriber AND edition = :edition AND position = :place

-- name: put
INSERT INTO opinion (subscriber, paper, wish, said_at) VALUES (:subscriber, :paper, :wish, :now)
ON CONFLICT (subscriber, paper) DO UPDATE SET wish = excluded.wish, said_at = excluded.said_at
WHERE wish != excluded.wish

-- name: take_back
DELETE FROM opinion WHERE subscriber = :subscriber AND paper = :paper

-- name: drop_oldest
DELETE FROM opinion WHERE subscriber = :subscriber AND paper IN (
    SELECT paper FROM opinion WHERE subscriber = :subscriber ORDER BY said_at DESC, paper DESC LIMIT -1 OFFSET :most
)

-- name: opinions
SELECT o.wish, o.said_at, r.title, r.categories
FROM opinion AS o JOIN paper AS p ON p.pk = o.paper JOIN revision AS r ON r.pk = p.revision
WHERE o.subscriber = :subscriber

-- name: keep
INSERT INTO leaning (subscriber, terms, learned_at) VALUES (:subscriber, :terms, :now)
ON CONFLICT (subscriber) DO UPDATE SET terms = excluded.terms, learned_at = excluded.learned_at

-- name: switch
INSERT INTO leaning (subscriber, active, learned_at) VALUES (:subscriber, :active, :now)
ON CONFLICT (subscriber) DO UPDATE SET active = excluded.active

-- name: reset_opinions
DELETE FROM opinion WHERE subscriber = :subscriber

-- name: reset_terms
UPDATE leaning SET terms = '[]' WHERE subscriber = :subscriber

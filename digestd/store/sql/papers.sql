-- name: file_known
SELECT 1 FROM digest_file WHERE sha256 = :sha256

-- name: insert_file
INSERT INTO digest_file (sha256, name, format, size, ingested_at, papers, new, revised, duplicate, bad)
VALUES (:sha256, :name, :format, :size, :now, 0, 0, 0, 0, 0)
ON CONFLICT (sha256) DO NOTHING
RETURNING pk

-- name: count_file
UPDATE digest_file SET papers = :papers, new = :new, revised = :revised, duplicate = :duplicate, bad = :bad
WHERE pk = :pk

-- name: by_key
SELECT p.pk, p.revision, r.id, p.ingested_at, r.title, r.authors, r.abstract, r.url, r.published, r.categories,
       r.source, r.version, r.votes, r.details
FROM paper_key AS k JOIN paper AS p ON p.pk = k.paper JOIN revision AS r ON r.pk = p.revision
WHERE k.key = :key

-- name: by_pk
SELECT p.pk, p.revision, r.id, p.ingested_at, r.title, r.authors, r.abstract, r.url, r.published, r.categories,
       r.source, r.version, r.votes, r.details
FROM paper AS p JOIN revision AS r ON r.pk = p.revision
WHERE p.pk = :pk

-- name: known_keys
SELECT key, paper FROM paper_key WHERE key IN (SELECT value FROM json_each(:keys))

-- name: keys_of
SELECT key FROM paper_key WHERE paper = :paper

-- name: newest_revision
SELECT coalesce(max(pk), 0) FROM revision

-- name: newest_paper
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'paper'), 0)

-- Many at a time, so by place: see `store.paper_rows` for the order.
-- name: insert_revision
INSERT INTO revision
    (pk, paper, digest_file, id, title, authors, abstract, url, published, categories, source, version, votes,
     details)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: insert_paper
INSERT INTO paper (pk, revision, ingested_at) VALUES (?, ?, ?)

-- name: insert_key
INSERT INTO paper_key (key, paper) VALUES (?, ?)

-- name: point_paper
UPDATE paper SET revision = :revision WHERE pk = :pk

-- name: twin_keys
UPDATE paper_key SET paper = :paper WHERE paper = :twin

-- name: twin
UPDATE paper SET same_as = :paper WHERE pk = :twin OR same_as = :twin

-- name: newest
SELECT coalesce(max(pk), 0) FROM paper

-- name: first_since
SELECT min(+pk) FROM paper WHERE ingested_at >= :since  -- the + lets it go by the time's index

-- name: between
SELECT p.pk, p.revision, r.id, p.ingested_at, r.title, r.authors, r.abstract, r.url, r.published, r.categories,
       r.source, r.version, r.votes, r.details
FROM paper AS p JOIN revision AS r ON r.pk = p.revision
WHERE p.pk > :after AND p.pk <= :upto AND p.ingested_at >= :since AND p.same_as IS NULL
ORDER BY p.pk

-- name: by_title
SELECT p.pk, p.revision, r.id, p.ingested_at, r.title, r.authors, r.abstract, r.url, r.published, r.categories,
       r.source, r.version, r.votes, r.details
FROM paper AS p JOIN revision AS r ON r.pk = p.revision
WHERE r.title LIKE :pattern ESCAPE '\' AND p.same_as IS NULL
ORDER BY p.pk DESC LIMIT 10

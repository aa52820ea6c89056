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

-- name: keys_of
SELECT key FROM paper_key WHERE paper = :paper

-- name: insert_revision
INSERT INTO revision
    (paper, digest_file, id, title, authors, abstract, url, published, categories, source, version, votes,
     details)
VALUES
    (:paper, :file, :id, :title, :authors, :abstract, :url, :published, :categories, :source, :version, :votes,
     :details)
RETURNING pk

-- name: next_pk
SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'paper'), 0) + 1

-- name: insert_paper
INSERT INTO paper (pk, id, revision, ingested_at) VALUES (:pk, :id, :revision, :now)

-- name: point_paper
UPDATE paper SET id = :id, revision = :revision WHERE pk = :pk

-- name: insert_key
INSERT INTO paper_key (key, paper) VALUES (:key, :paper) ON CONFLICT (key) DO NOTHING

-- name: newest
SELECT coalesce(max(pk), 0) FROM paper

-- name: first_since
SELECT min(+pk) FROM paper WHERE ingested_at >= :since  -- the + lets it go by the time's index

-- name: between
SELECT p.pk, p.revision, r.id, p.ingested_at, r.title, r.authors, r.abstract, r.url, r.published, r.categories,
       r.source, r.version, r.votes, r.details
FROM paper AS p JOIN revision AS r ON r.pk = p.revision
WHERE p.pk > :after AND p.pk <= :upto AND p.ingested_at >= :since
ORDER BY p.pk

-- name: by_title
SELECT p.pk, p.revision, r.id, p.ingested_at, r.title, r.authors, r.abstract, r.url, r.published, r.categories,
       r.source, r.version, r.votes, r.details
FROM paper AS p JOIN revision AS r ON r.pk = p.revision
WHERE r.title LIKE :pattern ESCAPE '\'
ORDER BY p.pk DESC LIMIT 10

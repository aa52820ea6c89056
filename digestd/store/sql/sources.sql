-- name: source
SELECT name, address, etag, modified, sha256, checked_at, next_at, failures, said FROM source WHERE name = :name

-- name: keep
INSERT INTO source (name, address, etag, modified, sha256, checked_at, next_at, failures, said)
VALUES (:name, :address, :etag, :modified, :sha256, :checked_at, :next_at, :failures, :said)
ON CONFLICT (name) DO UPDATE SET address = excluded.address, etag = excluded.etag, modified = excluded.modified,
    sha256 = excluded.sha256, checked_at = excluded.checked_at, next_at = excluded.next_at,
    failures = excluded.failures, said = excluded.said

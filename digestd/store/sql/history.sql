-- The ledger has no index on its time, as each line would pay for it: the first line since a moment is found by
-- halving, as lines are written in the order of time but for a clock that was set.
-- name: last_line
SELECT coalesce(max(pk), 0) FROM ledger

-- name: line_from
SELECT pk, at FROM ledger WHERE pk >= :pk ORDER BY pk LIMIT 1

-- name: attempts
SELECT state, at / 3600000, count(*) FROM ledger WHERE pk >= :pk AND at >= :since GROUP BY 1, 2

-- name: files
SELECT count(*), coalesce(sum(papers), 0), coalesce(sum(new), 0) FROM digest_file WHERE ingested_at >= :since

-- name: last_file
SELECT max(ingested_at) FROM digest_file

-- name: coming
SELECT due_at / 3600000, count(*) FROM progress
WHERE wanted = 1 AND due_at > :now AND due_at <= :until GROUP BY 1 ORDER BY 1

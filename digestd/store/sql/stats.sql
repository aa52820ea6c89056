-- name: digest_files
SELECT count(*) FROM digest_file

-- name: papers
SELECT count(*) FROM paper WHERE same_as IS NULL

-- name: revisions
SELECT count(*) FROM revision

-- name: profiles
SELECT count(*) FROM profile WHERE active = 1

-- name: editions
SELECT count(*) FROM edition

-- name: announced
SELECT count(*) FROM edition_paper

-- name: ledger_lines
SELECT count(*) FROM ledger

-- name: by_subscribers
SELECT state, count(*) FROM subscriber GROUP BY state

-- name: by_outbox
SELECT state, count(*) FROM outbox GROUP BY state

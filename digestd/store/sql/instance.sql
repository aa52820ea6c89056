-- name: token
SELECT token FROM instance

-- name: set_token
UPDATE instance SET token = :token

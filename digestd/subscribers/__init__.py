"""`config/subscribers.toml` → the people and profiles of the store."""

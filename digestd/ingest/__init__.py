"""Digest file → papers: find the file, read it, tell its format, parse it, know each paper again, store it."""

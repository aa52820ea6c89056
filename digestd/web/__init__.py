"""Pages behind the links in mail: unsubscribe, pause and resume, and the health check."""

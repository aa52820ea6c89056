"""Papers against profiles: one text pipeline, the query language, the compiled profile set, the scores. Pure."""

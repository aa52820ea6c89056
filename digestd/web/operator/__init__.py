"""The operator's pages: how things stand, and what a person does about it. On a port of their own, behind a door."""

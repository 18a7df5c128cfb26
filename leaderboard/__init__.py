"""People's entries, ranked honestly. Its rooms arrive with the scoring server."""

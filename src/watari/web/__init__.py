"""The page: a small server on loopback and its static files."""

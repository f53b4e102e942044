"""The HTTP API: what the page, scripts and other programs may see and do."""

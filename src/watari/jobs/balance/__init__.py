"""Move servers off hosts where they starve: fewest moves until no server is starved."""

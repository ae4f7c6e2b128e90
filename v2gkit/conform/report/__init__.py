"""The report of a run: one HTML page with everything in it, no script, and nothing from elsewhere (pure)."""

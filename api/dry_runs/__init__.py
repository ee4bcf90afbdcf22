"""Dry runs: what rules would have decided on recorded snapshots, counted, compared and shown."""

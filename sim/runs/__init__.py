"""Runs of pieces of work: simulated once, remembered, kept on disk, and shared out among processes."""

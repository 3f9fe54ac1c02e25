"""The files that say what a folder is."""

MANIFEST = "manifest.json"
"""Of a recorded trace."""
CONFIG = "config.json"
"""Of a Hugging Face model."""

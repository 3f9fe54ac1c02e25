"""Searches: mantissa lengths that keep a model's accuracy."""

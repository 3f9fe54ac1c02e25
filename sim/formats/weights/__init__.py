"""Formats of weights, one file a kind (sim/formats/weight.py)."""

"""Layers that packages of others packed, and how: see make.py."""

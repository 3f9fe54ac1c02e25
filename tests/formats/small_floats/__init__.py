"""Codes that packages of others give: see make.py."""

"""Figures of a page, one kind a file, as the plain data that plotly.js draws."""

"""Widths that formats and hardware share, in bits; without NumPy, which a timing run does not need."""

FP16_BITS = 16
FP32_BITS = 32
EXPONENT_BITS = 5
"""Of FP16, and so of the exponent that a group shares."""

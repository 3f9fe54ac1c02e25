"""Bytes of a tensor as they lie in memory."""

from __future__ import annotations

from sim.errors import InputError


def check_size(part: str, image: bytes, needed: int) -> None:
    """Raise an InputError where a part of an image has not the bytes that its tensor takes."""
    if len(image) != needed:
        facts = {"needed": f"{needed} bytes", "found": f"{len(image)} bytes"}
        raise InputError("the image has another size than the tensor", field=part, facts=facts)

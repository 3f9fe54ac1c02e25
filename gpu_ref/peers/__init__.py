"""Other people's kernels on the same shapes, in graphs over rotating copies as ours are."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from gpu_ref.program import Shape
from gpu_ref.record import Ceilings, Row
from gpu_ref.settings import Settings


class Peer(Protocol):
    """One kernel of somebody else's."""

    @property
    def name(self) -> str: ...

    def takes(self, shape: Shape) -> bool:
        """Whether it exists for a shape."""

    def row(
        self,
        shape: Shape,
        settings: Settings,
        ceilings: Ceilings,
        layers: tuple[str, ...],
        rng: np.random.Generator,
    ) -> Row:
        """Verify, then time it."""


PEERS: tuple[Peer, ...] = ()


def find(name: str) -> Peer:
    """A peer by its name."""
    return next(peer for peer in PEERS if peer.name == name)

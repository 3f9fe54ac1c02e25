"""What a model's files say of it: its config, the formats of its weights, and the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

import torch
from transformers import PretrainedConfig

from sim.formats.weight import WeightFormat
from sim.trace.linears import Site
from sim.trace.quantised import Packed


class Checkpoint(ABC):
    """The files of a model.

    Attributes
    ----------
    path
        As the user gave it.
    name
        Of the model.
    config_file
        What its config was read from, and is to blame for it.
    config
        As transformers takes it, without its quantisation.
    method
        How its weights were quantised; None: they were not.
    """

    path: Path
    name: str
    config_file: Path
    config: PretrainedConfig
    method: str | None

    @abstractmethod
    def formats(self, sites: Iterable[Site]) -> dict[str, WeightFormat]:
        """What is told of the weights' formats before they are read, by the names of their layers."""

    @abstractmethod
    def weight_files(self) -> list[Path]:
        """The files of the weights; an InputError where there are none to take."""

    @abstractmethod
    def weights(self) -> tuple[dict[str, torch.Tensor], dict[str, Packed]]:
        """Tensors by their names in transformers, packed ones dequantised, and the packed ones by their layers.

        Raises
        ------
        InputError
            For weights that are missing, damaged or packed in an unknown layout.
        """

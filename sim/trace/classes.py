"""Which class of transformers a config means, and whether it is one whose work is modelled.

decoder   a causal language model: prefill, then decode steps
encoder   a masked language model: one pass in which every token sees all others; its body, with no head of ours
refused   encoder-decoders, what takes no tokens, state spaces, convolutions and linear attention
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import nn
from transformers import MODEL_FOR_CAUSAL_LM_MAPPING, MODEL_FOR_MASKED_LM_MAPPING, MODEL_MAPPING, PretrainedConfig

from sim.errors import InputError, Place, shortened
from sim.workload.gemm import LARGEST_SIZE

ATTENTIONS = ("full_attention", "sliding_attention")
"""Of `layer_types`, what is modelled."""
CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)

LARGEST = {r"layers?$": 1024, r"experts?$": 1024, r"(size|dim|rank|heads?|inner|embd|d_model|d_ff)$": LARGEST_SIZE}
"""By the end of a config's key."""
RECURRENCES = ("Mamba", "Recurrent", "Lightning", "DeltaNet", "Rwkv", "xLSTM")
"""Of the names of modules that keep a state from token to token."""


@dataclass(frozen=True)
class ModelClass:
    """A class of transformers, and what it is built with beside its config."""

    maker: Any
    arguments: dict[str, Any]
    decodes: bool


def class_of(config: PretrainedConfig, folder: Path) -> ModelClass:
    """The class that a config means.

    Raises
    ------
    InputError
        With the reason why a kind of model is not simulated.
    """
    kind, place = config.model_type, Place(str(folder))
    if config.is_encoder_decoder:
        problem = f"{kind} is an encoder-decoder: its two parts and the attention between them are not modelled"
        raise InputError(problem, place=place, field="model_type")
    for layer in dict.fromkeys(getattr(config, "layer_types", None) or ()):
        if layer not in ATTENTIONS:
            problem = f"{kind} has layers of `{layer}`, which are not modelled"
            raise InputError(problem, place=place, field="layer_types", facts={"allowed": ", ".join(ATTENTIONS)})
    masked = type(config) in MODEL_FOR_MASKED_LM_MAPPING and not getattr(config, "is_decoder", False)
    if not masked and type(config) not in MODEL_FOR_CAUSAL_LM_MAPPING:
        raise InputError(
            f"not a causal language model, and no encoder of text: {kind}", place=place, field="model_type"
        )
    maker: Any = MODEL_MAPPING[type(config)] if masked else MODEL_FOR_CAUSAL_LM_MAPPING[type(config)]
    pooled = "add_pooling_layer" in inspect.signature(maker.__init__).parameters
    return ModelClass(maker, {"add_pooling_layer": False} if pooled else {}, decodes=not masked)


@contextmanager
def blamed_on(config: Path) -> Iterator[None]:
    """What transformers raises while it builds or runs a model of shapes alone is said of the config that it was given.

    A config may hold anything, and the code of a hundred classes raises anything: there is no list of its exceptions.
    """
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        told = shortened((str(error).splitlines() or [""])[0], 200)
        problem = f"transformers cannot build or run this model: {type(error).__name__}: {told}"
        raise InputError(problem, place=Place(str(config))) from error


def refuse_oversized(values: dict[str, Any], config: Path) -> None:
    """Refuse a config whose model could not even be laid out.

    Raises
    ------
    InputError
        For a size above LARGEST_SIZE, or more layers or experts than any model has.
    """
    for key, value in values.items():
        if isinstance(value, dict):
            refuse_oversized(value, config)
        most = next((limit for pattern, limit in LARGEST.items() if re.search(pattern, key)), None)
        if most is not None and isinstance(value, int) and value > most:
            raise InputError(
                f"found {value}", place=Place(str(config)), field=key, facts={"allowed": f"up to {most:,}"}
            )


def refuse_unmodelled(model: nn.Module, folder: Path) -> None:
    """Refuse a built model that does more than attention and GeMMs.

    Raises
    ------
    InputError
        With the first module that is a convolution or holds a state space.
    """
    for name, module in model.named_modules():
        kind = type(module).__name__
        if isinstance(module, CONVOLUTIONS) or any(word in kind for word in RECURRENCES):
            problem = f"{kind}: convolutions, state spaces and linear attention are not modelled"
            raise InputError(problem, place=Place(str(folder)), field=name)

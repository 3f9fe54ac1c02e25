"""A Hugging Face config.json, as it is, as a model.

Each architecture says which of its keys holds what; a key of the model that none of them holds is fixed by the
architecture. Attributes that change no shape (dropout, rope scaling, tied embeddings) are not read. Every other class
that transformers knows is built on torch's meta device and run there: see sim/trace/described.py.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass, field
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place, nearest_name
from sim.reading import parse_json, text_of
from sim.source import Source
from sim.workload.gemm import Workload
from sim.workload.model_source import workload_of
from sim.workload.options import Options
from sim.workload.quantisation import KEYS, refuse_beside, stored_weights
from sim.yaml_reader import Path_

ACTIVATIONS = {
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
    "gelu": "gelu",
    "gelu_new": "gelu",
    "gelu_fast": "gelu",
    "gelu_pytorch_tanh": "gelu",
}


BY_TRACE = "sim.trace.described"
"""Takes every other class of transformers. It stands above this package, and needs torch: imported when asked for."""


TRACING = ("torch", "transformers")
"""What that needs."""


@dataclass(frozen=True)
class Architecture:
    """Where a family of models keeps its shapes.

    Parameters
    ----------
    keys
        Model key (dotted) -> key of config.json that has to be there.
    fixed
        Model keys that the architecture decides.
    optional
        Model key -> key of config.json that may be missing or null.
    """

    keys: dict[str, str]
    fixed: dict[str, Any]
    optional: dict[str, str] = field(default_factory=dict)


_LLAMA_KEYS = {
    "hidden_size": "hidden_size",
    "intermediate_size": "intermediate_size",
    "layers": "num_hidden_layers",
    "vocabulary": "vocab_size",
    "attention.heads": "num_attention_heads",
    "mlp.activation": "hidden_act",
}
_LLAMA_OPTIONAL = {"attention.key_value_heads": "num_key_value_heads", "attention.head_size": "head_dim"}
_LLAMA_FIXED = {"norm": "rms", "attention.rotary": True, "mlp.gated": True}
_GPT_FIXED = {"norm": "layer", "attention.rotary": False, "mlp.gated": False}
_WINDOW = {"attention.window": "sliding_window"}
_EXPERTS = {"experts.count": "num_local_experts", "experts.per_token": "num_experts_per_tok"}

ARCHITECTURES = {
    "llama": Architecture(_LLAMA_KEYS, _LLAMA_FIXED, _LLAMA_OPTIONAL),
    "mistral": Architecture(_LLAMA_KEYS, _LLAMA_FIXED, _LLAMA_OPTIONAL | _WINDOW),
    "mixtral": Architecture(_LLAMA_KEYS | _EXPERTS, _LLAMA_FIXED, _LLAMA_OPTIONAL | _WINDOW),
    "qwen2": Architecture(_LLAMA_KEYS, _LLAMA_FIXED, _LLAMA_OPTIONAL),
    "opt": Architecture(
        {
            **_LLAMA_KEYS,
            "intermediate_size": "ffn_dim",
            "mlp.activation": "activation_function",
        },
        _GPT_FIXED,
    ),
    "gpt2": Architecture(
        {
            "hidden_size": "n_embd",
            "layers": "n_layer",
            "vocabulary": "vocab_size",
            "attention.heads": "n_head",
            "mlp.activation": "activation_function",
        },
        _GPT_FIXED,
        {"intermediate_size": "n_inner"},
    ),
}


def read(path: Path, options: Options) -> Workload:
    """The workload of a config.json, named after its folder.

    Raises
    ------
    InputError
        For an architecture that is not known, a key that is missing, or a shape that is not modelled.
    """
    config, lines = _json(path)
    if config.get("model_type") not in tuple(ARCHITECTURES) and _known_elsewhere(config.get("model_type")):
        workload: Workload = import_module(BY_TRACE).read(path, options)
        return workload
    architecture = _architecture(config, path, lines)
    _refuse_unmodelled(config, path, lines)
    name = path.resolve().parent.name if path.stem == "config" else path.stem
    values: dict[str, Any] = {"name": name, "source": str(path)}
    places: dict[Path_, Place] = {}
    for key, theirs in {**architecture.keys, **architecture.optional}.items():
        if config.get(theirs) is not None:
            _put(values, key, config[theirs])
            places[tuple(key.split("."))] = Place(str(path), lines.get(theirs))
        elif theirs in architecture.keys.values():
            raise InputError("missing", place=Place(str(path)), field=theirs)
    for key, value in architecture.fixed.items():
        _put(values, key, value)
    _put_weights(values, places, config, path, lines)
    _derive(values, Place(str(path), lines.get("hidden_act", lines.get("activation_function"))))
    return workload_of(Source(values, places, str(path)), options)


def refuse_without_torch(path: Path) -> None:
    """Refuse a model that only a run on torch's meta device tells about, where that is not installed."""
    missing = [package for package in TRACING if find_spec(package) is None]
    if missing:
        mend = {"mend": "pip install 'anda-sim[trace]'"}
        raise InputError(f"needs {' and '.join(missing)}", place=Place(str(path)), facts=mend)


def _known_elsewhere(name: object) -> bool:
    """Whether transformers, where it is installed, knows a class of models."""
    if not isinstance(name, str) or any(find_spec(package) is None for package in TRACING):
        return False
    return name in import_module("transformers.models.auto.configuration_auto").CONFIG_MAPPING_NAMES


def _put_weights(
    values: dict[str, Any], places: dict[Path_, Place], config: dict[str, Any], path: Path, lines: dict[str, int]
) -> None:
    """Weights as the `quantization_config` stores them; without one, as this project's default."""
    key = next((one for one in KEYS if config.get(one) is not None), None)
    if key is None:
        refuse_beside(path)
        return
    place = Place(str(path), lines.get(key))
    try:
        stored = stored_weights(config[key])
    except InputError as error:
        raise error.at(place) from None
    if stored.layers_left_out:
        raise InputError(
            f"layers left in FP16 (`{stored.layers_left_out[0]}`) are not modelled from a config alone",
            place=place,
            field="quantization_config",
            facts={"mend": "record the model with the command `trace`, which sees which layers those are"},
        )
    values["weights"] = {"format": stored.format.kind, **asdict(stored.format)}
    for size in ("bits", "group_size"):
        places["weights", size] = Place(str(path), lines.get(size, place.line))


def _json(path: Path) -> tuple[dict[str, Any], dict[str, int]]:
    """The config and the line of each key; keys of nested objects come after and do not displace outer ones."""
    text = text_of(path)
    config = parse_json(text, path)
    if not isinstance(config, dict):
        raise InputError("expected an object of keys and values", place=Place(str(path), 1))
    lines: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        for key in re.findall(r'"(\w+)"\s*:', line):
            lines.setdefault(key, number)
    return config, lines


def _architecture(config: dict[str, Any], path: Path, lines: dict[str, int]) -> Architecture:
    name = config.get("model_type")
    if isinstance(name, str) and name in ARCHITECTURES:
        return ARCHITECTURES[name]
    raise InputError(
        "missing" if name is None else f"unknown architecture `{name}`",
        place=Place(str(path), lines.get("model_type")),
        field="model_type",
        nearest=nearest_name(str(name), ARCHITECTURES),
        facts={"allowed": ", ".join(ARCHITECTURES)},
    )


def _refuse_unmodelled(config: dict[str, Any], path: Path, lines: dict[str, int]) -> None:
    embedding = config.get("word_embed_proj_dim", config.get("hidden_size"))
    if embedding != config.get("hidden_size"):
        raise InputError(
            f"embeddings of {embedding} values, projected to {config.get('hidden_size')}, are not modelled",
            place=Place(str(path), lines.get("word_embed_proj_dim")),
            field="word_embed_proj_dim",
        )
    if config.get("use_sliding_window"):
        raise InputError(
            "a sliding window in some of the layers is not modelled",
            place=Place(str(path), lines.get("use_sliding_window")),
            field="use_sliding_window",
        )


def _derive(values: dict[str, Any], activation_place: Place) -> None:
    """Fill in what a config leaves to its architecture's rules: heads of keys and values, sizes, the activation."""
    attention, mlp, hidden = values["attention"], values["mlp"], values["hidden_size"]
    heads = attention["heads"]
    attention.setdefault("key_value_heads", heads)
    if isinstance(heads, int) and isinstance(hidden, int) and heads > 0 and hidden % heads == 0:
        attention.setdefault("head_size", hidden // heads)
    if isinstance(hidden, int):
        values.setdefault("intermediate_size", 4 * hidden)
    name = str(mlp["activation"])
    if name not in ACTIVATIONS:
        raise InputError(
            f"unknown activation function `{name}`",
            place=activation_place,
            nearest=nearest_name(name, ACTIVATIONS),
            facts={"allowed": ", ".join(ACTIVATIONS)},
        )
    mlp["activation"] = ACTIVATIONS[name]


def _put(values: dict[str, Any], dotted: str, value: Any) -> None:
    *sections, last = dotted.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[last] = value

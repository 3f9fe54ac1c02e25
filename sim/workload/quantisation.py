"""What a `quantization_config` says of the weights of a checkpoint, or a refusal that names what is missing.

    awq    method `awq`, version `gemm`: nibbles, scale and zero point a group of K
    gptq   checkpoint_format `gptq` or `gptq_v2`: 2, 3, 4 or 8 bits, rows of K perhaps in another order (desc_act)
    both   group_size -1: one group, all of K
    compressed-tensors   format pack-quantized: integers of 4 or 8 bits in groups, or a scale a column, of all Linears

GGUF files say of each tensor what it is: sim/trace/gguf_file.py.

Modules that are left out of the quantisation are named by patterns of their names; they stay FP16.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import InputError, Place, nearest_name
from sim.formats.weight import Grouping
from sim.formats.weights.integer import IntegerWeights

PACKINGS = {"awq": ("gemm",), "gptq": ("gptq", "gptq_v2"), "compressed-tensors": ("pack-quantized",)}
WIDTHS = {"awq": (4,), "gptq": (2, 3, 4, 8), "compressed-tensors": (4, 8)}
MISSING = {
    "fp8": "8-bit floating-point weights",
    "fbgemm_fp8": "8-bit floating-point weights",
    "mxfp4": "4-bit floating-point weights under shared exponents",
    "mxfp8": "8-bit floating-point weights under shared exponents",
    "nvfp4": "4-bit floating-point weights under 8-bit scales",
    "bitsandbytes": "weights by a table of 4-bit levels, or 8-bit integers with outliers apart",
    "hqq": "its packing and axes",
    "aqlm": "weights by codebooks",
    "vptq": "weights by codebooks",
    "torchao": "its packings",
    "quanto": "its packing",
    "bitnet": "ternary weights",
    "modelopt": "its packings",
    "auto-round": "its packings",
}
"""What this simulator lacks for a method."""
KEYS = ("quantization_config", "compression_config")
"""Of config.json; the second one is what compressed-tensors wrote first."""
ELSEWHERE = ("quantize_config.json", "quant_config.json", "hf_quant_config.json")
"""Files beside config.json in which AutoGPTQ, AutoAWQ and ModelOpt once told what they did."""
WHOLE_COLUMN = -1
FP16_ANYWAY = r"(^|\.)(lm_head|embed_out|embed_tokens|wte|router|gate|norm)$"
"""Modules that are FP16 in every model here."""


@dataclass(frozen=True)
class CheckpointLayout:
    """Integer weights as a checkpoint stores them.

    Attributes
    ----------
    method, packing
        `awq` and `gemm`, `gptq` and its checkpoint format, `compressed-tensors` and its format.
    left_out
        Patterns of the names of modules that are not quantised.
    quantiser
        Who wrote it, where that is told: `gptqmodel:7.7.0`.
    """

    method: str
    packing: str
    format: IntegerWeights
    left_out: tuple[str, ...] = ()
    quantiser: str = ""

    @property
    def layers_left_out(self) -> tuple[str, ...]:
        """Patterns that name more than what stays FP16 in every model."""
        return tuple(pattern for pattern in self.left_out if not re.search(FP16_ANYWAY, pattern))

    def keeps_fp16(self, name: str) -> bool:
        """Whether the module called `name` is left out: a pattern matches it as transformers reads them."""
        boundary = r"(?:(?<=\.)|(?=\.|$))"
        return any(re.match(f"(?:{one}){boundary}", name) or name.endswith(one) for one in self.left_out)


def stored_weights(config: object) -> CheckpointLayout:
    """The weights that a `quantization_config` describes.

    Raises
    ------
    InputError
        For a method, packing, width or grouping that is not modelled.
    """
    if not isinstance(config, Mapping):
        raise _refused("expected a section of keys")
    method = str(config.get("quant_method", "missing")).lower()
    if method not in PACKINGS:
        facts = {"missing": MISSING[method]} if method in MISSING else {}
        raise _refused(f"weights of method `{method}` are not modelled", nearest_name(method, PACKINGS), **facts)
    if method == "compressed-tensors":
        return _compressed(config)
    packing = _text(config, "version" if method == "awq" else "checkpoint_format") or PACKINGS[method][0]
    if packing not in PACKINGS[method]:
        raise _refused(
            f"weights of {method} packed as `{packing}` are not modelled", nearest_name(packing, PACKINGS[method])
        )
    bits, group_size = _bits(config, method, "bits", "w_bit"), _grouping(config, "group_size", "q_group_size")
    for key in ("dynamic", "lm_head"):
        if config.get(key):
            raise _refused(f"`{key}` is not modelled", missing="formats that differ from module to module")
    names, format_ = _left_out(config, "modules_to_not_convert"), IntegerWeights(bits, group_size)
    return CheckpointLayout(method, packing, format_, names, _quantiser(config))


def _compressed(config: Mapping[str, Any]) -> CheckpointLayout:
    """What compressed-tensors says: one group of all Linears, weights alone."""
    packing = _text(config, "format")
    groups = config.get("config_groups")
    if not isinstance(groups, Mapping) or len(groups) != 1:
        raise _refused("more or less than one group", key="config_groups", missing="formats that differ by module")
    (group,) = groups.values()
    weights = group.get("weights") if isinstance(group, Mapping) else None
    if not isinstance(weights, Mapping):
        raise _refused("no weights in it", key="config_groups")
    if weights.get("type", "int") != "int":
        raise _refused(f"weights of type `{weights.get('type')!s:.80}`", missing="floating-point weights")
    for key in ("input_activations", "output_activations"):
        if group.get(key):
            raise _refused(f"`{key}` is not modelled", missing="activations quantised at run time")
    if packing not in PACKINGS["compressed-tensors"]:
        raise _refused(f"weights packed as `{packing}` are not modelled", missing=f"the packing `{packing}`")
    if list(group.get("targets") or ()) != ["Linear"]:
        raise _refused("targets other than Linear", key="config_groups", missing="formats that differ by module")
    for key in ("kv_cache_scheme", "sparsity_config"):
        if config.get(key):
            raise _refused(f"`{key}` is not modelled", missing="a format of keys and values, or of zeros")
    bits, strategy = _bits(weights, "compressed-tensors", "num_bits"), weights.get("strategy")
    if strategy not in ("group", "channel"):
        raise _refused(f"strategy {strategy!r:.80} is not modelled", missing="scales a tensor, block or token")
    grouping: Grouping = "channel" if strategy == "channel" else _grouping(weights, "group_size")
    zeros = {} if weights.get("symmetric") is False else {"zero_point_bits": 0}
    names = tuple(name.removeprefix("re:") for name in _left_out(config, "ignore"))
    return CheckpointLayout("compressed-tensors", packing, IntegerWeights(bits, grouping, **zeros), names)


def _bits(config: Mapping[str, Any], method: str, *keys: str) -> int:
    bits = _integer(config, *keys)
    if bits not in WIDTHS[method]:
        raise _refused(f"weights of {bits} bits are not modelled", missing=f"a packing of {bits} bits for {method}")
    return bits


def _grouping(config: Mapping[str, Any], *keys: str) -> Grouping:
    size = _integer(config, *keys)
    if (size < 1 and size != WHOLE_COLUMN) or (size > 0 and size % 16):
        raise _refused(f"group_size {size} is not modelled", missing="groups of other sizes than multiples of 16")
    return "channel" if size == WHOLE_COLUMN else size


def refuse_beside(config: Path) -> None:
    """Refuse a config.json whose quantisation is told by another file of its folder alone.

    Raises
    ------
    InputError
        Naming that file.
    """
    for name in ELSEWHERE:
        file = config.with_name(name)
        if config.name == "config.json" and file.is_file():
            facts = {"mend": "write its content as `quantization_config` into config.json"}
            raise InputError("a quantisation that config.json says nothing of", place=Place(str(file)), facts=facts)


def _left_out(config: Mapping[str, Any], key: str) -> tuple[str, ...]:
    if config.get("modules_in_block_to_quantize"):
        raise _refused("`modules_in_block_to_quantize` is not modelled", missing="a list of what is quantised")
    names = config.get(key) or ()
    if isinstance(names, str) or not isinstance(names, Sequence) or not all(isinstance(name, str) for name in names):
        raise _refused(f"{key}: expected a list of names, found {names!r:.80}")
    for name in names:
        try:
            re.compile(name.removeprefix("re:"))
        except re.error:
            raise _refused(f"{key}: not a pattern: {name!r:.80}") from None
    return tuple(names)


def _quantiser(config: Mapping[str, Any]) -> str:
    meta = config.get("meta")
    names = meta.get("quantizer") if isinstance(meta, Mapping) else None
    first = names[0] if isinstance(names, Sequence) and not isinstance(names, str) and names else names
    return str(first or "").lower()


def _integer(config: Mapping[str, Any], *keys: str) -> int:
    value = next((config[key] for key in keys if key in config), None)
    if isinstance(value, bool) or not isinstance(value, int):
        raise _refused("missing" if value is None else f"expected a whole number, found {value!r:.80}", key=keys[0])
    return value


def _text(config: Mapping[str, Any], key: str) -> str:
    return str(config.get(key) or "").lower()


def _refused(problem: str, nearest: str | None = None, key: str = "", **facts: object) -> InputError:
    field = ".".join(filter(None, ("quantization_config", key)))
    allowed = {
        "allowed": "awq (gemm) of 4 bits, gptq (gptq, gptq_v2) of 2, 3, 4 and 8 bits, "
        "compressed-tensors (pack-quantized) of 4 and 8 bits"
    }
    return InputError(problem, field=field, nearest=nearest, facts={**facts, **allowed})

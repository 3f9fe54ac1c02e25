"""Packs the layers of layers.py with packages of others; run by hand, no test does.

    pip download --no-deps autoawq==0.2.9 auto-gptq==0.7.1 gptqmodel==7.7.0      # unpacked into one folder
    pip install --no-deps compressed-tensors==0.20.0 loguru psutil logbar device-smi pypcre threadpoolctl tokenicer
    python -m tests.trace.packers.make FOLDER

FOLDER holds autoawq-0.2.9, auto_gptq and gptqmodel-7.7.0. Their files are taken as they are; only the packages' own
`__init__`, which want other versions of transformers or a GPU, are not run. For each package there come a file of
packed tensors, and in packed.json its version, what was called, the `quantization_config` of each layer in its words,
and the SHA-256 of the weights [N, K] in FP16, little-endian, that its own reader makes of the tensors.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from safetensors.torch import save_file

from tests.trace.packers.layers import AUTO_GPTQ, AUTOAWQ, COMPRESSED, GPTQMODEL, PackedLayer

HERE = Path(__file__).parent
Parts = dict[str, torch.Tensor]
Case = tuple[PackedLayer, dict[str, Any], Parts, torch.Tensor]
"""A layer, its `quantization_config`, its tensors, and the weights [N, K] that the package's reader makes of them."""


def without_init(name: str, folder: Path) -> ModuleType:
    """A package of which only the modules asked for are run."""
    package = ModuleType(name)
    package.__path__ = [str(folder)]
    sys.modules[name] = package
    return package


def linear(layer: PackedLayer) -> tuple[torch.nn.Linear, torch.Tensor, torch.Tensor, torch.Tensor]:
    """The layer as a Linear, with scales and zeros [N, groups] and the groups of the rows."""
    _, zeros, scales, group_of = layer.integers()
    module = torch.nn.Linear(layer.k, layer.n, bias=False)
    module.weight.data = torch.from_numpy(layer.values().astype(np.float32))
    return (
        module,
        torch.from_numpy(scales.astype(np.float32)),
        torch.from_numpy(zeros.astype(np.float32)),
        torch.from_numpy(group_of),
    )


def parts(module: Any, *names: str) -> Parts:
    return {name: getattr(module, name).detach().clone().contiguous() for name in names}


def autoawq(folder: Path) -> Iterable[Case]:
    for name in ("awq", "awq.modules", "awq.modules.linear", "awq.utils"):
        without_init(name, folder / "autoawq-0.2.9" / name.replace(".", "/"))
    packed = import_module("awq.modules.linear.gemm").WQLinear_GEMM
    read = import_module("awq.utils.packing_utils").dequantize_gemm
    for layer in AUTOAWQ:
        module, scales, zeros, _ = linear(layer)
        size = layer.k if layer.group_size < 0 else layer.group_size
        made = packed.from_linear(module, 4, size, scales=scales.T.contiguous(), zeros=zeros.T.contiguous())
        config = {
            "quant_method": "awq",
            "zero_point": True,
            "group_size": layer.group_size,
            "bits": 4,
            "version": "gemm",
        }
        tensors = parts(made, "qweight", "qzeros", "scales")
        yield layer, config, tensors, read(tensors["qweight"], tensors["qzeros"], tensors["scales"], 4, size).T


def auto_gptq(folder: Path) -> Iterable[Case]:
    for name in ("auto_gptq", "auto_gptq.nn_modules", "auto_gptq.nn_modules.qlinear"):
        without_init(name, folder / name.replace(".", "/"))
    packed = import_module("auto_gptq.nn_modules.qlinear.qlinear_cuda").QuantLinear
    for layer in AUTO_GPTQ:
        module, scales, zeros, group_of = linear(layer)
        module.half()
        made = packed(layer.bits, layer.group_size, layer.k, layer.n, bias=False)
        made.autogptq_cuda_available = False
        made.pack(module, scales, zeros, group_of)
        config = {
            "quant_method": "gptq", "bits": layer.bits, "group_size": layer.group_size, "desc_act": layer.mixed,
            "sym": False, "checkpoint_format": "gptq",
        }  # fmt: skip
        yield layer, config, parts(made, "qweight", "qzeros", "scales", "g_idx"), made(torch.eye(layer.k).half()).T


def gptqmodel(folder: Path) -> Iterable[Case]:
    root = folder / "gptqmodel-7.7.0" / "gptqmodel"
    without_init("gptqmodel", root).DEBUG_ON = False  # type: ignore[attr-defined]
    without_init("gptqmodel.models", root / "models")
    packed = import_module("gptqmodel.nn_modules.qlinear.torch").TorchLinear
    model = import_module("gptqmodel.utils.model")
    config_of = import_module("gptqmodel.quantization").QuantizeConfig
    for layer in GPTQMODEL:
        module, scales, zeros, group_of = linear(layer)
        shape = {"in_features": layer.k, "out_features": layer.n}
        made = packed(bits=layer.bits, group_size=layer.group_size, sym=False, desc_act=False, **shape)
        made.pack_original(module, scales, zeros.to(torch.int32), group_of)
        packing = layer.name.partition("-")[0]
        if packing == "gptq":
            model.convert_gptq_v2_to_v1_format_module(made, config_of(bits=layer.bits))
        tensors = parts(made, "qweight", "qzeros", "scales", "g_idx")
        if packing == "gptq":
            model.convert_gptq_v1_to_v2_format_module(made, layer.bits, torch.int32)
        made.eval()
        config = {
            "quant_method": "gptq", "bits": layer.bits, "group_size": layer.group_size, "desc_act": False, "sym": False,
            "checkpoint_format": packing, "meta": {"quantizer": ["gptqmodel:7.7.0"]},
        }  # fmt: skip
        yield layer, config, tensors, type(made).__mro__[1].dequantize_weight(made).T


def compressed_tensors(_: Path) -> Iterable[Case]:
    from compressed_tensors.compressors import PackedQuantizationCompressor  # type: ignore[import-not-found]
    from compressed_tensors.quantization import QuantizationArgs, QuantizationScheme  # type: ignore[import-not-found]

    for layer in COMPRESSED:
        module, scales, zeros, _group_of = linear(layer)
        grouped = layer.group_size > 0
        arguments = QuantizationArgs(
            num_bits=layer.bits, type="int", symmetric=layer.zeros is None,
            strategy="group" if grouped else "channel", group_size=layer.group_size if grouped else None,
        )  # fmt: skip
        scheme = QuantizationScheme(targets=["Linear"], weights=arguments)
        half = 1 << layer.bits - 1
        state = {
            "weight": module.weight.data.half(), "weight_scale": scales.half(),
            "weight_zero_point": (zeros - half).to(torch.int8),
        }  # fmt: skip
        tensors = PackedQuantizationCompressor.compress(state, scheme)
        read = PackedQuantizationCompressor.decompress(tensors, scheme)["weight"]
        config = {
            "quant_method": "compressed-tensors", "format": "pack-quantized", "ignore": ["lm_head"],
            "config_groups": {"group_0": json.loads(scheme.model_dump_json())},
        }  # fmt: skip
        yield layer, config, {name: one.contiguous() for name, one in tensors.items()}, read


PACKERS: dict[str, tuple[str, str, Callable[[Path], Iterable[Case]]]] = {
    "autoawq": ("0.2.9", "WQLinear_GEMM.from_linear; read by dequantize_gemm", autoawq),
    "auto-gptq": ("0.7.1", "qlinear_cuda.QuantLinear.pack; read by its forward on a unit matrix", auto_gptq),
    "gptqmodel": (
        "7.7.0",
        "TorchLinear.pack_original, convert_gptq_v2_to_v1_format_module; read by dequantize_weight",
        gptqmodel,
    ),
    "compressed-tensors": (
        "0.20.0",
        "PackedQuantizationCompressor.compress; read by its decompress",
        compressed_tensors,
    ),
}


def main(folder: Path) -> None:
    """Write the files of all packages."""
    told: dict[str, Any] = {}
    for name, (version, calls, cases) in PACKERS.items():
        tensors: Parts = {}
        layers: dict[str, Any] = {}
        for layer, config, made, values in cases(folder):
            tensors |= {f"{layer.name}.{part}": tensor for part, tensor in made.items()}
            halves = np.ascontiguousarray(values.detach().numpy()).astype("<f2")
            assert halves.shape == (layer.n, layer.k), layer
            digest = hashlib.sha256(halves.tobytes()).hexdigest()
            layers[layer.name] = {"quantization_config": config, "values_sha256": digest}
        save_file(tensors, HERE / f"{name}.safetensors")
        told[name] = {"version": version, "called": calls, "torch": torch.__version__, "layers": layers}
    (HERE / "packed.json").write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))

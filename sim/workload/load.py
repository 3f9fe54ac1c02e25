"""A workload by name or path; the reader is chosen by the file's suffix, or by what lies in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module
from pathlib import Path

from sim import shipped
from sim.errors import InputError, Place
from sim.workload.folders import CONFIG, MANIFEST
from sim.workload.gemm import Workload
from sim.workload.options import Options

FOLDER = "workloads"
READERS = {".yaml": "model_yaml", ".yml": "model_yaml", ".json": "huggingface", ".gguf": "gguf", ".csv": "csv_rows"}
"""Module of sim.workload.readers by suffix; imported when it is to read."""


def load_workload(
    name: str,
    *,
    phase: str | None = None,
    tokens: int | None = None,
    batch: int | None = None,
    chunk: int | None = None,
    context: int | None = None,
    steps: int | None = None,
    routing: str | None = None,
    scope: str | None = None,
    kv: str | None = None,
    attention_precision: str | None = None,
    precision: str | None = None,
    overrides: Iterable[str] = (),
) -> Workload:
    """Read a workload.

    Parameters
    ----------
    name
        A shipped model; a file: model YAML, a Hugging Face config.json, a GGUF file, or a CSV of GeMMs; or the folder
        of a recorded trace or of a Hugging Face model.
    phase
        `prefill`, `decode`, `both` or `mixed`.
    tokens, batch, chunk, context, steps
        Prompt length, sequences, tokens of the prompt a step, tokens in the cache when decoding starts, tokens to
        decode; see `model.Run`.
    routing
        Tokens of each expert; see `routing`.
    scope
        `fp-int`: the GeMMs with integer weights; `all`: everything.
    kv
        How keys and values are kept with scope `all`: `int8`, `int4`, `int3` or `fp16`.
    attention_precision
        Mantissa lengths with scope `all`: one, or two of queries and of the softmax's weights (`6,8`).
    precision
        Mantissa lengths; see `precision.resolve`.
    overrides
        Assignments such as `layers=2`, laid over a model.

    Raises
    ------
    InputError
        With file, line, field, what was found and what is allowed.
    """
    asked = (phase, tokens, batch, chunk, context, steps, routing, scope, kv, attention_precision, precision)
    options = Options(*asked, tuple(overrides))
    folder = shipped.expanded(name)
    if shipped.is_file(folder / MANIFEST):
        return _read("trace", folder, options)
    if shipped.is_file(folder / CONFIG):
        return _read("huggingface", folder / CONFIG, options)
    path = shipped.find(name, FOLDER, tuple(READERS))
    if path.suffix not in READERS:
        raise InputError(
            f"no reader for `{path.suffix or path.name}` files",
            place=Place(str(path)),
            facts={"allowed": ", ".join(READERS)},
        )
    return _read(READERS[path.suffix], path, options)


def _read(reader: str, path: Path, options: Options) -> Workload:
    read: Workload = import_module(f"sim.workload.readers.{reader}").read(path, options)
    return read

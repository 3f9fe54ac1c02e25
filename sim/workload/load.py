"""A workload by name or path; the reader is chosen by the file's suffix, or by what lies in a folder."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from sim import shipped
from sim.errors import InputError, Place
from sim.workload.gemm import Workload
from sim.workload.manifest import MANIFEST
from sim.workload.options import Options
from sim.workload.readers import csv_rows, huggingface, model_yaml, trace

FOLDER = "workloads"
READERS: dict[str, Callable[[Path, Options], Workload]] = {
    ".yaml": model_yaml.read,
    ".yml": model_yaml.read,
    ".json": huggingface.read,
    ".csv": csv_rows.read,
}


def load_workload(
    name: str,
    *,
    phase: str | None = None,
    tokens: int | None = None,
    batch: int | None = None,
    chunk: int | None = None,
    context: int | None = None,
    steps: int | None = None,
    scope: str | None = None,
    precision: str | None = None,
    overrides: Iterable[str] = (),
) -> Workload:
    """Read a workload.

    Parameters
    ----------
    name
        A shipped model; a file: model YAML, a Hugging Face config.json, or a CSV of GeMMs; or the folder of a
        recorded trace or of a Hugging Face model.
    phase
        `prefill`, `decode`, `both` or `mixed`.
    tokens, batch, chunk, context, steps
        Prompt length, sequences, tokens of the prompt a step, tokens in the cache when decoding starts, tokens to
        decode; see `model.Run`.
    scope
        `fp-int`: the GeMMs with integer weights; `all`: everything.
    precision
        Mantissa lengths; see `precision.resolve`.
    overrides
        Assignments such as `layers=2`, laid over a model.

    Raises
    ------
    InputError
        With file, line, field, what was found and what is allowed.
    """
    options = Options(phase, tokens, batch, chunk, context, steps, scope, precision, tuple(overrides))
    folder = shipped.expanded(name)
    if shipped.is_file(folder / MANIFEST):
        return trace.read(folder, options)
    if shipped.is_file(folder / "config.json"):
        return huggingface.read(folder / "config.json", options)
    path = shipped.find(name, FOLDER, tuple(READERS))
    if path.suffix not in READERS:
        raise InputError(
            f"no reader for `{path.suffix or path.name}` files",
            place=Place(str(path)),
            facts={"allowed": ", ".join(READERS)},
        )
    return READERS[path.suffix](path, options)

"""LLaMA-2-70B from its config alone: little time, little memory, and the work that the shipped model YAML says."""

from __future__ import annotations

import json
import subprocess
import sys

from sim.workload.load import load_workload

CONFIG = {
    "model_type": "llama",
    "hidden_act": "silu",
    "hidden_size": 8192,
    "intermediate_size": 28672,
    "max_position_embeddings": 4096,
    "num_attention_heads": 64,
    "num_hidden_layers": 80,
    "num_key_value_heads": 8,
    "vocab_size": 32000,
}
PROGRAM = """
import resource, sys
from pathlib import Path
from sim.trace.extract import TraceOptions, extract, load
options = TraceOptions(tokens=2048)
extract(load(Path(sys.argv[1]), options), options, Path(sys.argv[2]))
usage = resource.getrusage(resource.RUSAGE_SELF)
# Its own peak: ru_maxrss begins with that of the process which forked this one.
peak = next(line.split()[1] for line in Path("/proc/self/status").open() if line.startswith("VmHWM"))
print(usage.ru_utime + usage.ru_stime, peak)
"""


def test_ten_seconds_and_two_gigabytes_are_enough(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps(CONFIG))
    arguments = [sys.executable, "-c", PROGRAM, str(tmp_path), str(tmp_path / "trace")]
    seconds, kibibytes = map(float, subprocess.run(arguments, check=True, capture_output=True).stdout.split())
    assert seconds < 10
    assert kibibytes < 2e9 / 1024
    assert load_workload(str(tmp_path / "trace")).macs == load_workload("llama2-70b", tokens=2048).macs

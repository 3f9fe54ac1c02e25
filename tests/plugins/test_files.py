"""--plugin FILE: the parts of a single file, in this process and in workers; one message for a file that has none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sim import plugins
from sim.arch.dram import ARBITRATION, DRAM
from sim.units.processing_element import KINDS
from tests.plugins.conftest import ROOT, TOY, Shell

PE = str(TOY / "toy_package" / "pe.py")
EXACT = '''
from sim.units.processing_element import BitParallel


class Whole(BitParallel):
    """FP16 activations rounded to integers, so that every product is one."""

    kind = "whole"
    summary = "integers"

    def multiply(self, activations, weights, mantissa_bits):
        import numpy as np

        from sim.functional.product import Sequential

        return Sequential().multiply(np.rint(activations), weights)
'''


def test_the_parts_of_a_file_are_there_with_the_option_and_only_then(shell: Shell) -> None:
    assert "toy_fp8" in shell("--plugin", PE, "list").stdout
    assert "toy_fp8" not in shell("list").stdout


def test_a_file_may_hold_several_parts_and_the_option_be_repeated(shell: Shell, tmp_path: Path) -> None:
    both = (TOY / "toy_package" / "e4m3.py").read_text() + (TOY / "toy_package" / "commands.py").read_text()
    (tmp_path / "both.py").write_text(both.replace("from __future__ import annotations\n", ""))
    out = shell("--plugin", "both.py", "--plugin", PE, "list").stdout
    assert "toy_fp8" in out
    assert "toy-e4m3" in out
    assert shell("--plugin", "both.py", "toy", "hello").stdout == "hello from a toy\n"
    assert "Commands of a toy." in shell("--plugin", "both.py", "--help").stdout


def test_workers_have_it_too_however_they_are_started(shell: Shell, tmp_path: Path) -> None:
    run = ("--plugin", PE, "run", "toy.yaml", "small.csv", "--json", "--no-report")
    alone = json.loads(shell(*run, "--jobs", "1", "--out", "a").stdout)
    shared = json.loads(shell(*run, "--jobs", "2", "--out", "b").stdout)
    assert alone["counters"] == shared["counters"]
    # A process that is not a fork of this one gets the file by the environment alone.
    code = "from sim.units.processing_element import KINDS; print(KINDS.find('toy_fp8').__name__)"
    environment = {**os.environ, plugins.FILES: PE}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=ROOT)
    assert done.stdout == "ToyFp8\n"


def test_a_spawned_worker_can_take_a_piece_whose_operands_are_a_plug_ins(tmp_path: Path) -> None:
    code = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from sim import plugins
from sim.runs.workers import _begin

if __name__ == "__main__":
    plugins.use([Path(sys.argv[1])])
    from sim.arch.load import load_arch
    from sim.machine.execution import run_piece
    from sim.machine.machine import Machine
    from sim.workload.gemm import Gemm
    piece = Machine(load_arch(sys.argv[2])).piece(Gemm("g", "up", 40, 128, 256))
    context = multiprocessing.get_context("spawn")
    import os
    with ProcessPoolExecutor(1, context, _begin, (os.getpid(),)) as pool:
        print(pool.submit(run_piece, piece).result().cycles == run_piece(piece).cycles)
"""
    (tmp_path / "spawned.py").write_text(code)
    command = [sys.executable, str(tmp_path / "spawned.py"), PE, str(TOY / "toy.yaml")]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)
    assert done.stdout == "True\n", done.stderr


def test_a_kind_that_says_what_it_computes_is_replayed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import numpy as np

    from sim.arch.load import load_arch
    from sim.formats.int4 import Int4Tensor
    from sim.functional.execute import execute
    from sim.machine.machine import Machine
    from sim.workload.gemm import Gemm

    (tmp_path / "whole.py").write_text(EXACT)
    monkeypatch.setenv(plugins.FILES, str(tmp_path / "whole.py"))
    machine = Machine(load_arch("fp-int", ["mxu.pe=whole"]))
    machine.pe.require_values()
    rng = np.random.default_rng(0)
    activations = (8 * rng.standard_normal((3, 64))).astype(np.float16)
    weights = Int4Tensor.quantise(np.eye(5, 64), "symmetric", 64)  # column n is activation n
    outputs = execute(machine.piece(Gemm("g", "up", 3, 64, 5)).plan(), machine.pe, activations, weights).outputs
    scaled = np.rint(activations[:, :5]).astype(np.float64) * weights.dequantise()[range(5), range(5)].astype(
        np.float64
    )
    assert np.allclose(outputs, scaled, rtol=2**-10, atol=0)
    assert not np.array_equal(activations[:, :5], np.rint(activations[:, :5]))


REFUSED = {
    "missing": (None, "--plugin: no such Python file"),
    "empty": ("x = 1\n", "defines nothing that plugs in"),
    "imports": ("from sim.units.pe.anda import AndaPe\n", "defines nothing that plugs in"),
    "raises": ("\n\nraise RuntimeError('no')\n", "own.py:3: --plugin: cannot be imported: RuntimeError: no"),
    "exits": ("import sys\nsys.exit(3)\n", "own.py:2: --plugin: cannot be imported: SystemExit: 3"),
    "syntax": ("x = 1\nclass\n", "own.py:2: --plugin: cannot be imported: SyntaxError"),
    "lacks": ("import numpie\n", "own.py:1: --plugin: cannot be imported: ModuleNotFoundError: No module named"),
    "nameless": ("import typer\napp = typer.Typer()\n", "a part without a name; set `name`"),
    "taken": (Path(PE).read_text().replace('"toy_fp8"', '"anda"'), "PE kind 'anda' is defined twice"),
    "replaces": ("import typer\napp = typer.Typer(name='run')\n", "run: a plug-in may not replace a command"),
}


@pytest.mark.parametrize("text", REFUSED)
def test_what_is_no_plug_in_is_one_message(shell: Shell, tmp_path: Path, text: str) -> None:
    source, words = REFUSED[text]
    if source is not None:
        (tmp_path / "own.py").write_text(source)
    done = shell("--plugin", "own.py", "run", "fp-int", "small.csv", "--jobs", "1", "--out", "r")
    assert done.returncode == 2, done.stderr
    assert words in done.stderr
    assert "Traceback" not in done.stderr
    assert "own.py" in done.stderr or text == "replaces"
    assert not (tmp_path / "r").exists()


def test_two_files_with_one_name_are_both_named(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "copy.py").write_text(Path(PE).read_text())
    done = shell("--plugin", PE, "--plugin", "copy.py", "run", "toy.yaml", "small.csv")
    assert done.returncode == 2
    for word in ("PE kind 'toy_fp8' is defined twice", PE, "copy.py"):
        assert word in done.stderr


def test_stored_results_know_the_plug_in_that_made_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(plugins.FILES, raising=False)
    without = plugins.fingerprint()
    prints = set()
    for name, text in (("one", EXACT), ("other", EXACT.replace("integers", "whole numbers"))):
        (tmp_path / f"{name}.py").write_text(text)
        monkeypatch.setenv(plugins.FILES, str(tmp_path / f"{name}.py"))
        prints.add(plugins.fingerprint())
    assert len(prints | {without}) == 3


def test_a_built_in_part_comes_alone_where_its_file_has_its_name_and_is_the_one_of_the_whole_package() -> None:
    code = (
        "import sys\nfrom sim.arch.load import load_arch\nload_arch('anda-hpca25')\n"
        "print([name for name in ('sim.units.dram.banks', 'sim.units.pe.fp_fp') if name in sys.modules])\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    for seam in (DRAM, ARBITRATION, KINDS):
        for name, part in seam.parts().items():
            assert seam.find(name) is part
            assert part.__module__.rpartition(".")[2] == name

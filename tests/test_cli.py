"""The command line as a user meets it: results, and one clear message for whatever can be mended."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from sim.cli import main

ROOT = Path(__file__).resolve().parents[1]
SMALL = "name,M,N,K\nfirst,40,128,256\nsecond,1,64,128\n"


class Console:
    """Runs a command in this process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
        self._monkeypatch, self._capsys, self.folder = monkeypatch, capsys, folder

    def __call__(self, *arguments: str) -> tuple[int, str, str]:
        self._monkeypatch.setattr(sys, "argv", ["sim.py", *arguments])
        try:
            main()
            code = 0
        except SystemExit as stop:
            code = int(stop.code or 0)
        captured = self._capsys.readouterr()
        return code, captured.out, captured.err


@pytest.fixture
def console(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Console:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.csv").write_text(SMALL)
    return Console(monkeypatch, capsys, tmp_path)


def test_a_run_leaves_its_result_layers_and_page(console: Console) -> None:
    code, out, _ = console("run", "anda-hpca25", "small.csv", "--out", "r", "--trace", "--jobs", "1")
    assert code == 0
    assert "cycles" in out
    assert "results in r" in out
    assert {path.name for path in (console.folder / "r").iterdir()} == {
        "result.json",
        "layers.csv",
        "report.html",
        "trace.json",
    }
    spans = json.loads((console.folder / "r" / "trace.json").read_text())["traceEvents"]
    assert {span["name"] for span in spans} >= {"busy", "waits for weights"}


def test_json_has_the_stable_keys_and_adds_up(console: Console) -> None:
    code, out, _ = console("run", "fp-fp", "small.csv", "--json", "--out", "r", "--no-report", "--jobs", "1")
    assert code == 0
    result = json.loads(out)
    assert result == json.loads((console.folder / "r" / "result.json").read_text())
    assert set(result["totals"]) >= {
        *("cycles", "seconds", "macs", "dram_bytes", "sram_bytes", "energy_picojoules", "area_square_millimetres"),
    }
    layers = result["layers"]
    assert [layer["name"] for layer in layers] == ["first", "second"]
    assert {"name", "module", "m", "k", "n", "count", "mantissa_bits", "cycles"} <= set(layers[0])
    for key in ("cycles", "macs", "dram_bytes"):
        assert result["totals"][key] == sum(layer["count"] * layer[key] for layer in layers)
    for unit in result["units"].values():
        spent = unit["busy_cycles"] + unit["idle_cycles"] + sum(unit["stalled_cycles"].values())
        assert spent == result["totals"]["cycles"]
    assert result["bounds"]["lower_cycles"] <= result["totals"]["cycles"] <= result["bounds"]["upper_cycles"]
    assert result["totals"]["macs"] == 40 * 128 * 256 + 1 * 64 * 128


def test_grain_fast_forward_and_verify_change_no_number(console: Console) -> None:
    results = []
    for index, option in enumerate(("--grain=tile", "--grain=beat", "--no-fast-forward", "--verify")):
        code, out, _ = console(
            "run", "anda-hpca25", "small.csv", option, "--json", "--no-report", "--out", f"r{index}", "--jobs", "1"
        )
        assert code == 0
        results.append(json.loads(out))
    for key in ("totals", "units", "counters", "energy"):
        assert all(result[key] == results[0][key] for result in results)


def test_compare_shows_the_given_and_the_best_schedule(console: Console) -> None:
    code, out, _ = console(
        *("compare", "fp-fp", "anda-hpca25", "--workload", "small.csv", "--schedule", "both", "--out", "c"),
        *("--jobs", "1", "--no-report"),
    )
    assert code == 0
    for name in ("fp-fp", "fp-fp+best", "anda-hpca25", "anda-hpca25+best"):
        assert name in out
    again, page, _ = console("report", "c/fp-fp", "c/anda-hpca25", "--out", "page.html")
    assert again == 0
    assert "speedup" in page
    assert (console.folder / "page.html").stat().st_size > 10_000


def test_list_names_what_there_is(console: Console) -> None:
    _, out, _ = console("list")
    for name in ("anda-datacenter", "mixtral-8x7b", "ifpu", "int4"):
        assert name in out


BAD = [
    (["run", "anda-hpca52", "small.csv"], ["anda-hpca52", "did you mean `anda-hpca25`?"]),
    (["run", "anda-hpca25", "lama-7b"], ["lama-7b", "did you mean `llama-7b`?"]),
    (["run", "anda-hpca25", "missing.yaml"], ["missing.yaml", "no such file"]),
    (["run", "bad-key.yaml", "small.csv"], ["bad-key.yaml:3", "bpc.lane", "did you mean `lanes`?", "allowed"]),
    (["run", "bad-type.yaml", "small.csv"], ["bad-type.yaml:2", "mxu.rows", "`many` is neither a number nor a key"]),
    (
        ["run", "small-buffer.yaml", "llama-7b"],
        ["small-buffer.yaml:2", "buffers.activation.bytes", "needed", "available"],
    ),
    (["run", "port.yaml", "small.csv"], ["port.yaml:2", "activation_dispatcher.port_bits", "do not divide"]),
    (["run", "loop.yaml", "small.csv"], ["loop.yaml", "extends itself"]),
    (["run", "twice.yaml", "small.csv"], ["twice.yaml:3", "written twice"]),
    (["run", "not-yaml.yaml", "small.csv"], ["not-yaml.yaml:3", "not YAML"]),
    (["run", "anda-hpca25", "llama-7b", "--precision", "0"], ["precision", "1", "16"]),
    (["run", "anda-hpca25", "llama-7b", "--precision", "17"], ["precision", "1", "16"]),
    (["run", "anda-hpca25", "llama-7b", "--precision", "fp16"], ["mantissa length", "--precision"]),
    (["run", "anda-hpca25", "llama-7b", "--precision", "wikitext-1%"], ["wikitext2-1%"]),
    (["run", "anda-hpca25", "config.json"], ["config.json", "mamba", "allowed"]),
    (["run", "anda-hpca25", "broken.csv"], ["broken.csv:3", "twelve"]),
    (["run", "anda-hpca25", "small.csv", "--set", "mxu.row=1"], ["--set mxu.row=1", "did you mean `rows`?"]),
    (["run", "anda-hpca25", "small.csv", "--set", "mxu.rows"], ["KEY=VALUE"]),
    (["run", "anda-hpca25", "opt-125m", "--set-workload", "layer=1"], ["--set-workload layer=1: layer: unknown key"]),
    (["run", "anda-hpca25", "opt-125m", "--set-workload", "name=''"], ["expected a text of at least 1 character"]),
    (["run", "anda-hpca25", "small.csv", "--grain", "beet"], ["--grain", "did you mean `beat`?"]),
    (["run", "anda-hpca25", "small.csv", "--schedule", "bets"], ["--schedule", "did you mean `best`?"]),
    (["run", "anda-hpca25", "small.csv", "--set", "mxu.pe=andaa"], ["mxu.pe", "did you mean `anda`?"]),
    (["run", "anda-hpca25", "small.csv", "--set", "mxu.lanes=4"], ["mxu.lanes", "has no lanes"]),
    (["run", "anda-hpca25", "small.csv", "--out", "taken"], ["taken", "exists", "allowed"]),
    (["report", "taken"], ["taken"]),
]


@pytest.mark.parametrize(("arguments", "words"), BAD, ids=lambda value: " ".join(value)[:60])
def test_bad_input_is_one_clear_message(console: Console, arguments: list[str], words: list[str]) -> None:
    files = {
        "bad-key.yaml": "extends: anda-hpca25\nbpc:\n  lane: 3\n",
        "bad-type.yaml": "extends: anda-hpca25\nmxu: {rows: many}\n",
        "small-buffer.yaml": "extends: anda-hpca25\nbuffers: {activation: {bytes: 16384}}\n",
        "port.yaml": "extends: fp-fp\nactivation_dispatcher: {port_bits: 192}\nmxu: {lanes: 5}\n",
        "loop.yaml": "extends: loop.yaml\n",
        "twice.yaml": "extends: anda-hpca25\nname: a\nname: b\n",
        "not-yaml.yaml": "extends: anda-hpca25\nname: [a\n",
        "config.json": '{"model_type": "mamba", "hidden_size": 64}',
        "broken.csv": SMALL.replace("1,64,128", "1,twelve,128"),
    }
    for name, text in files.items():
        (console.folder / name).write_text(text)
    (console.folder / "taken").mkdir()
    (console.folder / "taken" / "notes.txt").write_text("mine")
    before = sorted(path.name for path in console.folder.iterdir())
    code, out, err = console(*arguments, *(["--jobs", "1"] if arguments[0] == "run" else []))
    assert code == 2, (out, err)
    assert not out
    assert "Traceback" not in err
    for word in words:
        assert word in err, err
    assert sorted(path.name for path in console.folder.iterdir()) == before, "something was written"
    assert (console.folder / "taken" / "notes.txt").read_text() == "mine"


def test_ctrl_c_leaves_no_half_written_result(console: Console, monkeypatch: pytest.MonkeyPatch) -> None:
    from sim.report.exporters import tables

    def interrupted(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    before = sorted(path.name for path in console.folder.iterdir())
    monkeypatch.setattr(tables, "_write_csv", interrupted)
    code, _, _ = console("run", "anda-hpca25", "small.csv", "--out", "r", "--jobs", "1")
    assert code == 130
    assert sorted(path.name for path in console.folder.iterdir()) == before


@pytest.mark.parametrize("name", ["/tmp/x", "../../evil", "..", "a/../../b", "x" * 5000, "\u2028", "con\tsole"])
def test_no_name_of_a_machine_leads_out_of_the_folder_of_results(console: Console, name: str) -> None:
    (console.folder / "mine.yaml").write_text(json.dumps({"extends": "anda-hpca25", "name": name}))
    code, out, err = console("run", "mine.yaml", "small.csv", "--jobs", "1", "--no-report")
    assert code == 0, err
    assert len(list((console.folder / "runs").glob("*/result.json"))) == 1
    assert {path.name for path in console.folder.iterdir()} == {"mine.yaml", "small.csv", "runs"}
    assert "results in runs/" in out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["run", "a", "b", "--tokens", "many"], "Invalid value for '--tokens': expected an integer"),
        (["run", "a", "b", "--jobs", "0"], "Invalid value for '--jobs': expected greater than or equal to 1"),
        (["schema", "nothing"], "Invalid value for 'kind': 'nothing' is not one of 'arch'"),
        (["sweep", "run", "a", "--jobs", "1.5"], "Invalid value for '--jobs': expected an integer"),
    ],
)
def test_a_wrong_option_is_told_in_words_of_this_program(console: Console, arguments: list[str], said: str) -> None:
    code, _, errors = console(*arguments)
    assert code == 2
    told = " ".join(errors.replace("│", " ").split())
    assert said in told
    assert f"Usage: python sim.py {arguments[0]}" in told
    assert "Input should be" not in told


def test_the_version_is_told(console: Console) -> None:
    code, out, _ = console("--version")
    assert code == 0
    assert out == f"anda-sim {version('anda-sim')}\n"


def test_a_full_disk_is_one_message() -> None:
    program = [sys.executable, "-c", "import sys, sim.cli; sys.argv = ['sim.py', 'list']; sim.cli.main()"]
    with open("/dev/full", "w") as full:
        done = subprocess.run(program, stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert done.stderr == "output: cannot be written: No space left on device\n"


def test_a_file_that_cannot_grow_is_one_message_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "small.csv").write_text(SMALL)
    arguments = ["sim.py", "run", "anda-hpca25", "small.csv", "--trace", "--jobs", "1", "--out", "r"]
    limit = "import resource, sys, sim.cli; resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000));"
    # -B: the interpreter would leave halves of compiled modules, too.
    program = [sys.executable, "-B", "-c", f"{limit} sys.argv = {arguments}; sim.cli.main()"]
    done = subprocess.run(program, capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)})
    assert done.returncode == 2, done.stderr
    assert "Traceback" not in done.stderr
    assert "File too large" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["small.csv"]


def test_messages_call_the_program_as_its_user_does(monkeypatch: pytest.MonkeyPatch) -> None:
    from sim import program

    for called, named in (("/usr/bin/anda-sim", "anda-sim"), ("sim.py", "python sim.py")):
        monkeypatch.setattr(sys, "argv", [called])
        assert program.name() == named


def test_help_imports_nothing_heavy() -> None:
    code = "import sys; sys.argv=['sim.py','--help']\ntry:\n import sim.cli; sim.cli.main()\nexcept SystemExit: pass\n"
    code += (
        "print([m for m in ('numpy','torch','simpy','plotly','pydantic','yaml','numba','cupy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip().endswith("[]")

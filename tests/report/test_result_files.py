"""Results on disk: they read back as they were, appear as a whole or not at all, and replace nothing of others."""

import csv
import json
import os
import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from sim.errors import InputError
from sim.report import files, folder
from sim.report.exporters import page, tables
from sim.report.exporters.tables import flat
from sim.report.files import write_comparison, write_page, write_run
from sim.report.folder import new_folder
from sim.result.json import load_result
from tests.results import named, simulated, small_llama, with_layer


def tree(root):
    """Every file under a folder with what is in it."""
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def rows_of(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def refusal(call, *arguments, **options):
    with pytest.raises(InputError) as caught:
        call(*arguments, **options)
    return caught.value.render()


def fail(*_, **__):
    raise KeyboardInterrupt


# What is written


def test_a_run_leaves_three_files_and_nothing_else(tmp_path, anda):
    write_run(anda, tmp_path / "deep" / "out")
    assert set(tree(tmp_path)) == {f"deep/out/{name}" for name in ("result.json", "layers.csv", "report.html")}
    assert [path.name for path in tmp_path.iterdir()] == ["deep"]


def test_a_result_reads_back_as_it_was(tmp_path, anda):
    write_run(anda, tmp_path / "out")
    for path in (tmp_path / "out", tmp_path / "out" / "result.json"):
        assert load_result(path) == anda
        assert list(load_result(path).units) == list(anda.units)


def test_layers_read_back_from_the_table(tmp_path, anda):
    found = simulated(work=small_llama(scope="all"))  # vector work lacks what GeMMs have
    found = with_layer(found, 1, name='odd, "name"\nof two lines')
    write_run(found, tmp_path / "out")
    rows = rows_of(tmp_path / "out" / "layers.csv")
    assert len(rows) == len(found.layers)
    for row, layer in zip(rows, found.layers, strict=True):
        told = asdict(layer)
        expected = flat({key: value for key, value in told.items() if key not in ("schedule", "dram_floor")})
        expected |= flat({key: told[key] for key in ("schedule", "dram_floor") if told[key] is not None})
        for key, value in expected.items():
            read = row[key]
            assert read == "" if value is None else type(value)(read) == value, key
        assert all(row[key] == "" for key in row.keys() - expected.keys())


def test_columns_of_one_unit_stand_together(tmp_path, anda):
    dram = replace(anda.layers[3].units["dram"], stalled_cycles={"weights": 3})
    write_run(with_layer(anda, 3, units={**anda.layers[3].units, "dram": dram}), tmp_path / "out")
    columns = (tmp_path / "out" / "layers.csv").read_text().splitlines()[0].split(",")
    units = [column.split(".")[1] for column in columns if column.startswith("units.")]
    assert len(dict.fromkeys(units)) == sum(1 for at, unit in enumerate(units) if units[at - 1 : at] != [unit])


def test_a_comparison_leaves_a_table_a_page_and_a_folder_a_machine(tmp_path, paper):
    write_comparison(paper, tmp_path / "out", baseline=1)
    names = [result.machine_name for result in paper]
    assert set(tree(tmp_path / "out")) == {"comparison.json", "comparison.csv", "report.html"} | {
        f"{name}/{file}" for name in names for file in ("result.json", "layers.csv")
    }
    for name, result in zip(names, paper, strict=True):
        assert load_result(tmp_path / "out" / name) == result
    told = json.loads((tmp_path / "out" / "comparison.json").read_text())
    assert told["baseline"] == "fp-int"
    rows = rows_of(tmp_path / "out" / "comparison.csv")
    for row, entry, result in zip(rows, told["machines"], paper, strict=True):
        assert int(row["cycles"]) == entry["cycles"] == result.totals.cycles
        base, own = paper[1].totals, result.totals
        assert float(row["speedup"]) == entry["speedup"] == base.seconds / own.seconds
        assert float(row["speedup.o"]) == pytest.approx(
            paper[1].modules["o"].cycles / result.modules["o"].cycles, rel=1e-15
        )
        assert entry["folder"] == result.machine_name


@pytest.mark.parametrize("name", ["../../escape", "/etc/passwd", "..", ".hidden", "a/b\\c:d*e", "\u202eevil", "\x00"])
def test_a_machines_name_stays_inside_the_folder(tmp_path, anda, name):
    write_comparison([named(anda, name), named(anda, name)], tmp_path / "out")
    inside = [path for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert len(inside) == 2
    assert all(not path.name.startswith(".") for path in inside)
    assert [load_result(path).machine_name for path in inside] == [name, name]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_others_may_read_the_folder_as_the_users_mask_says(tmp_path, anda):
    write_run(anda, tmp_path / "out")
    (tmp_path / "plain").mkdir()
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("out", "plain")]
    assert modes[0] == modes[1]


# As a whole or not at all

STEPS = [(tables, "_write_csv"), (page, "page")]


@pytest.mark.parametrize("step", STEPS)
@pytest.mark.parametrize("write", [write_run, lambda result, out, **more: write_comparison([result] * 2, out, **more)])
def test_an_interruption_leaves_nothing(tmp_path, monkeypatch, anda, step, write):
    monkeypatch.setattr(*step, fail)
    with pytest.raises(KeyboardInterrupt):
        write(anda, tmp_path / "deep" / "out")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("step", STEPS)
def test_the_old_result_survives_an_interrupted_overwrite(tmp_path, monkeypatch, anda, step):
    write_run(anda, tmp_path / "out")
    before = tree(tmp_path)
    monkeypatch.setattr(*step, fail)
    with pytest.raises(KeyboardInterrupt):
        write_run(anda, tmp_path / "out", overwrite=True)
    assert tree(tmp_path) == before


def test_the_old_result_comes_back_when_the_last_rename_fails(tmp_path, monkeypatch, anda):
    write_run(anda, tmp_path / "out")
    before, rename = tree(tmp_path), Path.rename

    def refuse_new(self, target):
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse_new)
    with pytest.raises(KeyboardInterrupt):
        write_run(anda, tmp_path / "out", overwrite=True)
    assert tree(tmp_path) == before


def test_the_folder_is_not_seen_before_it_is_complete(tmp_path):
    with new_folder(tmp_path / "out") as inside:
        assert not (tmp_path / "out").exists()
        (inside / "result.json").write_text("{}")
    assert tree(tmp_path) == {"out/result.json": b"{}"}


# What is not replaced


def test_an_earlier_result_is_refused_before_any_work_and_replaced_when_asked_for(tmp_path, paper, anda):
    write_run(paper[0], tmp_path / "out")
    before = tree(tmp_path)
    with pytest.raises(InputError) as caught, new_folder(tmp_path / "out"):
        pytest.fail("work begun in spite of the result that stands there")
    message = caught.value.render()
    assert message.splitlines()[0] == f"{tmp_path / 'out'}: --out: exists"
    assert "an earlier result" in message
    assert "another folder, or --overwrite" in message
    assert tree(tmp_path) == before
    write_run(anda, tmp_path / "out", overwrite=True)
    assert load_result(tmp_path / "out") == anda
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_comparison_replaces_a_run_and_a_run_a_comparison(tmp_path, paper):
    write_run(paper[0], tmp_path / "out")
    write_comparison(paper, tmp_path / "out", overwrite=True)
    write_run(paper[0], tmp_path / "out", overwrite=True)
    assert load_result(tmp_path / "out") == paper[0]


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("stranger", ["notes.txt", "result.json/inner", "mine/result.json", ".git/config"])
def test_what_this_tool_did_not_write_is_never_replaced(tmp_path, anda, overwrite, stranger):
    out = tmp_path / "out"
    if not stranger.startswith("result.json"):
        write_run(anda, out)
    (out / stranger).parent.mkdir(parents=True, exist_ok=True)
    (out / stranger).write_text("mine")
    before = tree(tmp_path)
    message = refusal(write_run, anda, out, overwrite=overwrite)
    assert f"a folder with `{stranger.split('/')[0]}`, which this tool did not write" in message
    assert "--overwrite" not in message
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["report.html", "result.json"])
@pytest.mark.parametrize("as_link", [False, True])
def test_a_file_of_another_that_is_called_like_ours_is_never_replaced(tmp_path, anda, name, as_link):
    out, mine = tmp_path / "out", tmp_path / "mine"
    write_run(anda, out)
    mine.write_text((out / name).read_text() if as_link else "<html>mine</html>")
    (out / name).unlink()
    if as_link:
        (out / name).symlink_to(mine)
    else:
        mine.rename(out / name)
    before = tree(tmp_path)
    assert f"a folder with `{name}`, which this tool did not write" in refusal(write_run, anda, out, overwrite=True)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("stranger", ["fp-fp/notes.txt", "extra/notes.txt", "notes.txt"])
def test_nor_inside_a_comparison(tmp_path, paper, stranger):
    write_comparison(paper, tmp_path / "out")
    (tmp_path / "out" / stranger).parent.mkdir(exist_ok=True)
    (tmp_path / "out" / stranger).write_text("mine")
    assert f"`{stranger.split('/')[0]}`" in refusal(write_comparison, paper, tmp_path / "out", overwrite=True)


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, anda):
    (tmp_path / "out").write_text("mine")
    assert "a file" in refusal(write_run, anda, tmp_path / "out", overwrite=True)
    assert "cannot be written" in refusal(write_run, anda, tmp_path / "out" / "inner")
    assert tree(tmp_path) == {"out": b"mine"}


def test_an_empty_folder_is_free(tmp_path, anda):
    (tmp_path / "out").mkdir()
    write_run(anda, tmp_path / "out")
    assert load_result(tmp_path / "out") == anda


def test_a_link_to_a_result_stays_a_link(tmp_path, paper, anda):
    write_run(paper[0], tmp_path / "real")
    (tmp_path / "link").symlink_to("real")
    write_run(anda, tmp_path / "link", overwrite=True)
    assert (tmp_path / "link").is_symlink()
    assert load_result(tmp_path / "real") == anda


def test_a_disk_that_refuses_is_one_message(tmp_path, monkeypatch, anda):
    def full(*_):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(files, "_write_text", full)
    assert "cannot be written: No space left on device" in refusal(write_run, anda, tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_the_names_that_may_be_replaced_are_those_that_are_written(tmp_path, paper):
    write_comparison(paper, tmp_path / "compared")
    write_run(paper[0], tmp_path / "run")
    written = {path.name for path in tmp_path.rglob("*") if path.is_file()}
    others = {"trace.json", "values.json", "values.html", "gpu.json", "gpu.csv", "validation.json"}
    assert written | others == folder.written()


# A page alone


def test_a_page_replaces_a_page_when_asked_and_nothing_else(tmp_path, anda):
    path = tmp_path / "new" / "page.html"
    write_page([anda], path)
    assert "an earlier page" in refusal(write_page, [anda], path)
    write_page([anda, anda], path, overwrite=True)
    assert "2 machines" not in path.read_text()
    assert [entry.name for entry in path.parent.iterdir()] == ["page.html"]
    path.write_text("mine")
    assert "did not write" in refusal(write_page, [anda], path, overwrite=True)
    assert path.read_text() == "mine"


def test_an_interrupted_page_leaves_the_old_one(tmp_path, monkeypatch, anda):
    write_page([anda], tmp_path / "page.html")
    before = tree(tmp_path)
    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_page([anda], tmp_path / "page.html", overwrite=True)
    assert tree(tmp_path) == before

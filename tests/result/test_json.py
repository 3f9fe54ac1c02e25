"""Results as JSON: written with the names of their fields, read back as they were, or refused with the field."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from sim import shipped
from sim.commands.catalogue import Kind, schema_of
from sim.errors import InputError
from sim.report.files import write_comparison
from sim.result import SCHEMA_VERSION, Result
from sim.result.json import as_data, load_result, text
from tests.results import NORM, anda, simulated, small_llama, work_of


def refusal(path: Path) -> str:
    with pytest.raises(InputError) as caught:
        load_result(path)
    return caught.value.render()


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[Callable[[Any], object]], Path]:
    """Writes a result after a change to its data."""

    def write(change: Callable[[Any], object]) -> Path:
        told = json.loads(text(as_data(anda())))
        change(told)
        (tmp_path / "result.json").write_text(json.dumps(told))
        return tmp_path / "result.json"

    return write


RESULTS: dict[str, Callable[[], Result]] = {
    "anda": anda,
    "from Python": lambda: simulated("fp-fp"),
    "all of a layer": lambda: simulated(work=small_llama(scope="all", phase="both", steps=2)),
    "vector work alone": lambda: simulated(work=work_of(NORM)),
    "best schedule": lambda: simulated("anda-hpca25", "schedule=best"),
    "huge": lambda: replace(anda(), totals=replace(anda().totals, bit_operations=10**70, seconds=1e300)),
}


@pytest.fixture(params=RESULTS.values(), ids=RESULTS)
def found(request: pytest.FixtureRequest) -> Result:
    """A result, simulated once."""
    result: Result = request.param()
    return result


def test_a_result_reads_back_as_it_was(tmp_path: Path, found: Result) -> None:
    (tmp_path / "result.json").write_text(text(as_data(found)), encoding="utf-8")
    for path in (tmp_path, tmp_path / "result.json"):
        assert load_result(path) == found
        assert list(load_result(path).units) == list(found.units)


def test_the_published_schema_accepts_it_and_is_the_printed_one(found: Result) -> None:
    published = json.loads((shipped.ROOT / "results" / "schema" / "result.json").read_text(encoding="utf-8"))
    assert published == schema_of(Kind.RESULT)
    jsonschema.Draft202012Validator.check_schema(published)
    jsonschema.validate(json.loads(text(as_data(found))), published)


def test_a_result_of_yesterday_is_told_to_be_one() -> None:
    """tests/result/version-1.json was written when results had no waterfall."""
    message = refusal(Path(__file__).with_name("version-1.json"))
    assert "schema_version: a result of an older version of this tool" in message
    assert "run it again" in message


def test_a_waterfall_that_does_not_add_up_is_refused(changed: Any) -> None:
    def lose(told: Any) -> None:
        told["phases"]["prefill"]["waterfall"]["useful"] -= 1

    assert "not a whole result: mxu: useful + lost = cycles x multipliers" in refusal(changed(lose))


def test_a_missing_file_a_missing_folder_and_a_folder_without_a_result(tmp_path: Path) -> None:
    assert refusal(tmp_path / "none.json") == f"{tmp_path / 'none.json'}: No such file or directory"
    assert "holds no result.json" in refusal(tmp_path)
    write_comparison([simulated("fp-fp"), simulated("fp-int")], tmp_path / "out")
    message = refusal(tmp_path / "out")
    assert f"{tmp_path / 'out' / 'fp-fp'}, {tmp_path / 'out' / 'fp-int'}" in message


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("{\n  'a': 1}", "result.json:2: not JSON"),
        ("", "result.json:1: not JSON"),
        ("[" * 100_000, "result.json:1: more than 50 levels of lists and sections"),
        ("1" * 5000, "result.json: a whole number of more than 256 bits"),
        ("[]", "not a result"),
        ("{}", "schema_version: not a result of this version\n  found      none"),
        (
            '{"schema_version": 0}',
            "schema_version: a result of an older version of this tool\n  found      0\n  allowed",
        ),
        (
            f'{{"schema_version": {SCHEMA_VERSION + 1}}}',
            f"schema_version: a result of a newer version of this tool\n  found      {SCHEMA_VERSION + 1}\n  allowed",
        ),
        ('{"schema_version": true}', "schema_version: not a result of this version\n  found      True"),
        (f'{{"schema_version": {SCHEMA_VERSION}}}', "not a whole result"),
        ('{"schema_version": NaN}', "NaN is not a number of JSON"),
    ],
)
def test_what_is_no_result_is_refused(tmp_path: Path, written: str, message: str) -> None:
    (tmp_path / "result.json").write_text(written)
    assert message in refusal(tmp_path)


def test_bytes_that_are_no_text_are_refused(tmp_path: Path) -> None:
    (tmp_path / "result.json").write_bytes(b"\xff\xfe{")
    assert "result.json: not a text file in UTF-8" in refusal(tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("totals.cycles", 1.5),
        ("totals.cycles", 0),
        ("totals.seconds", "1"),
        ("units.mxu.busy_cycles", None),
        ("units.mxu.stalled_cycles.weights", "many"),
        ("counters.writer.blocks", 1.5),
        ("layers", {}),
        ("layers.3.limit.cause", 7),
        ("layers.0.schedule.order", "sideways"),
        ("provenance.grain", "bit"),
        ("arch", []),
    ],
)
def test_a_result_that_was_tampered_with_is_refused_with_the_field(changed: Any, path: str, value: object) -> None:
    def tamper(told: Any) -> None:
        *above, last = path.split(".", 1) if path.startswith("counters") else path.split(".")
        for key in above:
            told = told[int(key) if key.isdigit() else key]
        assert last in told
        told[last] = value

    assert f"result.json: {path}: not a whole result" in refusal(changed(tamper))


def test_an_unknown_key_is_refused_with_the_one_it_may_stand_for(changed: Any) -> None:
    def misspell(told: Any) -> None:
        told["totals"]["cylces"] = told["totals"].pop("cycles")

    message = refusal(changed(misspell))
    assert "result.json: totals.cylces: not a result: unknown key; did you mean `cycles`?" in message
    assert "layers.0.mine: not a result: unknown key" in refusal(changed(lambda told: told["layers"][0].update(mine=1)))


@pytest.mark.parametrize("key", [field.name for field in fields(Result)])
def test_every_key_is_asked_for(changed: Any, key: str) -> None:
    assert key in refusal(changed(lambda told: told.pop(key)))

"""The forecast: machine code read as loops, times that no roofline beats, provenances side by side."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from gpu_ref import cli, nvrtc, sass
from gpu_ref import record as records
from gpu_ref.forecast import table
from gpu_ref.forecast.code import TensorInstruction, product, read
from gpu_ref.forecast.model import forecast
from gpu_ref.forecast.silicon import find, silicon
from gpu_ref.kernel import Kernel
from gpu_ref.kernels.anda import Anda, AndaWgmma
from gpu_ref.kernels.fp16 import Fp16
from gpu_ref.kernels.w4a16 import W4a16, W4a16Wgmma
from gpu_ref.program import GemmShape
from gpu_ref.reference.gemm import gemm_estimate
from sim.errors import InputError
from tests.gpu_ref.test_records import made, row

needs_tools = pytest.mark.skipif(
    not nvrtc.is_installed() or sass.disassembler() is None, reason="NVRTC or nvdisasm is not installed"
)

TEXT = """
        /*0000*/                   S2R R0, SR_TID.X ;
.L_x_0:
        /*0010*/                   LDGSTS.E.BYPASS.128 [R1], [R2.64] ;
        /*0020*/               @P0 BRA `(.L_x_0) ;
.L_x_1:
        /*0030*/                   LDSM.16.M88.4 R4, [R3] ;
.L_x_2:
        /*0040*/              @!P1 IADD3 R5, R5, 1, RZ ;
        /*0050*/               @P1 BRA `(.L_x_2) ;
        /*0060*/                   HMMA.16816.F32 R8, R4, R6, R8 ;
        /*0070*/                   HMMA.16816.F32 R12, R4, R6, R12 ;
        /*0080*/              @!P0 BRA `(.L_x_1) ;
        /*0090*/                   STG.E [R2.64], R8 ;
        /*00a0*/                   EXIT ;
.L_x_3:
        /*00b0*/                   BRA `(.L_x_3) ;
"""


def test_the_main_loop_is_the_smallest_around_all_products() -> None:
    code = read(TEXT)
    assert code.iteration == 6  # from LDSM to its branch, the loop inside counted once
    assert code.once == 12 - 6
    assert code.products == (TensorInstruction("HMMA", 2048), TensorInstruction("HMMA", 2048))
    # 10 iterations of 4,096 multiplications
    assert code.issued(40960) == 6 + 10 * 6


def test_code_without_products_runs_once() -> None:
    code = read(TEXT.replace("HMMA.16816.F32", "FFMA"))
    assert (code.once, code.iteration, code.issued(10**6)) == (12, 0, 12)


@pytest.mark.parametrize(
    ("opcode", "expected"),
    [
        ("HMMA.16816.F32", TensorInstruction("HMMA", 16 * 8 * 16)),
        ("IMMA.16832.S8.S8", TensorInstruction("IMMA", 16 * 8 * 32)),
        ("BMMA.168256.AND.POPC", TensorInstruction("BMMA", 16 * 8 * 256)),
        ("HGMMA.64x128x16.F32", TensorInstruction("HGMMA", 64 * 128 * 16 // 4)),
        ("QGMMA.64x64x32.F32.E4M3.E4M3", TensorInstruction("QGMMA", 64 * 64 * 32 // 4)),
        ("FFMA", None),
    ],
)
def test_products_are_known_by_their_opcode(opcode: str, expected: TensorInstruction | None) -> None:
    assert product(opcode) == expected


def test_a_product_of_unknown_size_is_not_guessed() -> None:
    with pytest.raises(ValueError, match="unknown size"):
        product("HMMA.3264.F32")


KERNELS: list[Kernel] = [W4a16(), W4a16Wgmma(tokens=64), Anda(6), AndaWgmma(8)]


@needs_tools
@pytest.mark.parametrize("kernel", KERNELS, ids=lambda kernel: str(kernel.modules[0]))
def test_a_warp_owes_whole_iterations(kernel: Kernel) -> None:
    """What the code does in an iteration divides what the shape asks of a warp."""
    shape, architecture = GemmShape(64, 4096, 4096), "sm_90a"
    text = sass.functions(nvrtc.compile_module(kernel.modules[0], architecture).cubin)[kernel.source]
    code = read(text)
    (launch,) = kernel.launches(shape)
    warps = launch.grid[0] * launch.grid[1] * launch.threads // 32  # type: ignore[union-attr]
    iterations = kernel.passes * shape.operations / 2 / warps / code.macs
    assert iterations == int(iterations) > 1
    assert code.products[0].family in kernel.instruction


@needs_tools
@pytest.mark.parametrize("card", silicon().cards)
def test_the_library_was_never_measured_faster_than_its_forecast(card: str) -> None:
    """The forecast of cuBLAS is a roofline, so others' measurements must lie above it, and at few tokens near it."""
    for tokens in (1, 16, 64, 2048):
        shape = GemmShape(tokens, 28672, 8192)
        measured = gemm_estimate(card, "BF16", tokens, 28672, 8192)
        roof = forecast(Fp16(), shape, find(card)[1]).seconds
        assert roof * 0.97 <= measured.seconds <= roof * 1.6
        if tokens <= 64:
            assert measured.seconds <= roof * 1.25


@needs_tools
def test_a_forecast_is_never_below_its_bytes_and_its_products() -> None:
    card = find("H200")[1]
    shape = GemmShape(16, 4096, 4096)
    one = forecast(W4a16(), shape, card)
    assert one.least_seconds >= 4096 * 4096 / 2 / card.sustained_bytes_per_second
    assert one.seconds >= one.least_seconds
    assert one.instructions_per_weight is not None
    # 2,048 multiplications a product, 16 tokens: 1/128 product a weight is the floor of any W4A16 kernel
    assert one.instructions_per_weight > 1 / 128


@needs_tools
def test_four_provenances_stand_in_one_table(tmp_path: Path) -> None:
    device = {**vars(made().device), "name": "NVIDIA H100 80GB HBM3"}
    own = row("w4a16", 5e-5) | {"tokens": 16, "columns": 4096, "depth": 4096}
    path = tmp_path / "r.json"
    records.save(made(device=device, rows=[own]), path)
    arguments = ["predict", "h100", "--tokens", "16", "--columns", "4096", "--depth", "4096"]
    out = tmp_path / "f" / "forecast.json"
    done = CliRunner().invoke(cli.app, [*arguments, "--record", str(path), "--out", str(out)], env={"COLUMNS": "80"})
    assert done.exit_code == 0, done.output
    assert max(map(len, done.output.splitlines())) <= 80
    assert "no card has run this" in done.output
    kept = json.loads(out.read_text())
    w4a16 = next(one for one in kept["rows"] if one["kernel"] == "w4a16")
    assert w4a16["measured_here_seconds"] == 5e-5
    assert w4a16["measured_by_others"]["seconds"] == gemm_estimate("H100", "W4A16", 16, 4096, 4096).seconds
    assert w4a16["published"]["speedup_over_fp16"] == 3.87
    fp16 = next(one for one in kept["rows"] if one["kernel"] == "fp16")
    ratio = fp16["forecast"]["seconds"] / w4a16["forecast"]["seconds"]
    assert w4a16["forecast_speedup_over_fp16"] == pytest.approx(ratio)
    assert set(kept["sources"]) >= {"w4a16", "anda"}


def test_every_published_speedup_names_its_paper() -> None:
    assert all("arXiv" in one.source for one in table.published())


def test_an_unknown_card_is_refused() -> None:
    told = CliRunner().invoke(cli.app, ["predict", "H300"]).exception
    assert isinstance(told, InputError)
    assert told.facts["cards"] == "A100, H100, H200, B200"
    assert told.nearest in ("H100", "H200")


@needs_tools
def test_where_the_rate_of_products_is_not_published_a_forecast_is_a_floor() -> None:
    name, card = find("b200")
    found = table.rows(name, card, [GemmShape(256, 4096, 4096)], [6], None)
    ours = {row.kernel: row for row in found}
    assert not ours.pop("fp16").forecast.is_floor
    assert set(ours) >= {"w4a16", "anda M=6"}
    rated = card.model_copy(update={"macs_per_cycle": {"HMMA": 1, "IMMA": 1}})
    for floor in found[1:]:
        assert floor.forecast.is_floor
        assert table.bracket(floor.forecast).startswith("≥ ")
        # With a rate, however low, the products count, and nothing is left open.
        kernel = next(one for one in table.kernels(floor.shape, card.card(name), [6]) if one.label == floor.kernel)
        slow = forecast(kernel, floor.shape, rated)
        assert not slow.is_floor
        assert slow.limited_by == "products"
        assert slow.least_seconds > floor.forecast.least_seconds
    assert any("not published" in line for line in table.notes(card, found))


def test_a_layer_that_no_kernel_takes_is_refused() -> None:
    told = CliRunner().invoke(cli.app, ["predict", "H100", "--columns", "100"]).exception
    assert isinstance(told, InputError)
    assert told.facts["found"] == "100 x 8192"


def test_a_record_of_another_card_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "r.json"
    records.save(made(), path)
    told = CliRunner().invoke(cli.app, ["predict", "H100", "--record", str(path)]).exception
    assert isinstance(told, InputError)
    assert told.facts == {"found": "Pretended", "needed": "H100"}


@needs_tools
def test_a_record_of_other_kernels_is_refused(tmp_path: Path) -> None:
    path, wanted = tmp_path / "r.json", ["predict", "H100", "--tokens", "1", "--columns", "4096", "--depth", "4096"]
    device = {**vars(made().device), "name": "NVIDIA H100 80GB HBM3"}
    # `bipolar` is in no forecast: that it changed does not matter.
    records.save(made(device=device, sources={**made().sources, "anda": "0" * 16, "bipolar": "0" * 16}), path)
    told = CliRunner().invoke(cli.app, [*wanted, "--record", str(path)]).exception
    assert isinstance(told, InputError)
    assert told.problem == "was measured with other kernels"
    assert told.facts["changed since"] == "anda"


def test_a_missing_disassembler_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gpu_ref.sass.disassembler", lambda: None)
    with pytest.raises(InputError, match="nvdisasm"):
        forecast(W4a16(tokens=32, stages=3), GemmShape(32, 4096, 4096), find("A100")[1])

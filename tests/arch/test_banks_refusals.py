"""What may be wrong with `dram: {kind: banks}`, and the one message each mistake gets."""

from __future__ import annotations

import pytest

from sim.arch.load import load_arch
from sim.errors import InputError
from sim.machine.machine import Machine
from sim.simulation import simulate
from sim.workload.load import load_workload
from tests.arch.building import Write

BANKS = (
    "dram={kind: banks, standard: HBM2, count: 1, latency_nanoseconds: 70, transaction_bytes: 8192, "
    "arbitration: round_robin, outstanding_loads: 4}"
)


def refusal(*overrides: str) -> InputError:
    with pytest.raises(InputError) as caught:
        Machine(load_arch("anda-hpca25", [BANKS, *overrides]))
    assert caught.value.place is not None
    return caught.value


@pytest.mark.parametrize(
    ("override", "field", "problem", "facts"),
    [
        ("dram.timings.RC=47", "dram.timings.RC", "found 47", {"needed": "at least RAS + RP = 48"}),
        ("dram.timings.RFC=2000", "dram.timings.REFI", "found 3900", {"needed": "= 4084"}),
        ("dram.timings.BL=4", "dram.timings.CCDS", "found 2", {"needed": "BL = 4"}),
        ("dram.timings.RCC=47", "dram.timings.RCC", "unknown key", {"allowed": "RC, "}),
        ("dram.timings.RC=0", "dram.timings.RC", "greater than or equal to 1, found 0", {}),
        (
            "dram.mapping=row bank column group",
            "dram.mapping",
            "does not cover the address: no `channel`, 16777216 of 268435456 bursts",
            {"allowed": "any order"},
        ),
        ("dram.mapping=row bank column group chanel", "dram.mapping", "knows no field 'chanel'", {}),
        ("dram.transaction_bytes=768", "dram.transaction_bytes", "16 channels", {"allowed": "multiples of 512"}),
        ("dram.write_buffer={high: 3}", "dram.write_buffer", "low 6, high 3, bursts 32", {"needed": "low < high"}),
        ("dram.standard=HBM5", "dram.standard", "found 'HBM5'", {"allowed": "HBM2, HBM2E, HBM3"}),
        ("dram.count=0", "dram.count", "greater than or equal to 1, found 0", {}),
        ("dram.pin_gigabits_per_second=0", "dram.pin_gigabits_per_second", "greater than 0", {}),
        ("dram.page=shut", "dram.page", "found 'shut'", {"allowed": "open or closed"}),
        ("dram.arbitration=fair", "dram.arbitration", "found 'fair'", {}),
        ("dram.latency_nanoseconds=null", "dram.latency_nanoseconds", "found None", {}),
        ("dram.bandwidth_gigabytes_per_second=256", "dram", "follows from dram.standard", {}),
    ],
)
def test_a_mistake_is_told_with_its_field_and_numbers(
    override: str, field: str, problem: str, facts: dict[str, str]
) -> None:
    error = refusal(override)
    assert error.field == field
    assert problem in error.problem
    for name, text in facts.items():
        assert text in str(error.facts[name])


def test_more_data_than_capacity_is_refused_with_the_bytes_of_each_kind() -> None:
    arch = load_arch("anda-hpca25", [BANKS])
    work = load_workload("llama2-70b", phase="decode", scope="all", batch=2, context=1000)
    with pytest.raises(InputError, match="does not fit the DRAM") as caught:
        simulate(arch, work)
    facts = {name: int(str(text).split()[0].replace(",", "")) for name, text in caught.value.facts.items()}
    assert facts["capacity"] == 8 << 30
    assert facts["needed"] == facts["weights"] + facts["keys"] + facts["activations"] > facts["capacity"]
    # 68.7 billion weights of the blocks and the head at 4 bits, with their scales
    assert facts["weights"] == pytest.approx(68.7e9 / 2, rel=0.08)
    # keys and values of 80 layers, 8 heads of 128 in INT8 with an FP16 scale, whole pages of 64 tokens, 2 sequences
    assert facts["keys"] == 2 * 80 * 2 * 8 * (128 + 2) * 1024


@pytest.mark.parametrize(
    "change",
    [
        "standard=HBM2E", "count=2", "pin_gigabits_per_second=1.6", "latency_nanoseconds=90", "transaction_bytes=16384",
        "arbitration=priority", "outstanding_loads=2", "mapping=row column bank group channel", "page=closed",
        "idle=power_down", "queue_bursts=1", "write_buffer.bursts=3", "write_buffer.high=4", "write_buffer.low=0",
        *(f"timings.{name}={n}" for name, n in {
            "BL": 3, "CL": 30, "CWL": 9, "RCDRD": 30, "RCDWR": 30, "RP": 10, "RAS": 200, "RC": 90, "WR": 60, "RTP": 40,
            "CCDS": 4, "CCDL": 8, "CCDL_WR": 9, "RRDS": 3, "RRDL": 30, "FAW": 60, "WTRS": 3, "WTRL": 60, "RTW": 40,
            "RFC": 500, "REFI": 2000, "XP": 60,
        }.items()),
    ],
)  # fmt: skip
def test_every_key_changes_what_is_counted(change: str) -> None:
    fixed = ["clock.frequency_megahertz=1480", "cost.pe.describes.frequency_megahertz=1480", "schedule.k_block=1024"]
    assert counted(*fixed, *NEEDED.get(change.partition("=")[0], ())) != counted(
        *fixed, *NEEDED.get(change.partition("=")[0], ()), f"dram.{change}"
    )


NEEDED = {
    "timings.XP": ("dram.idle=power_down",),
    "write_buffer.bursts": ("dram.write_buffer={bursts: 9, high: 2, low: 1}",),
    "write_buffer.high": ("dram.write_buffer={bursts: 17, high: 15, low: 1}",),
    "timings.RAS": ("dram.timings.RC=220", "dram.page=closed"),
    "timings.BL": ("dram.timings.CCDS=3",),
    "timings.CCDS": ("dram.timings.CCDL=8", "dram.timings.CCDL_WR=8"),
}


def counted(*overrides: str) -> object:
    from sim.workload.gemm import Gemm

    small = ["buffers.weight.bytes=65536", "buffers.activation.bytes=65536", "writer.blocks=1"]
    arch = load_arch("anda-hpca25", [BANKS, *small, *overrides])
    run = Machine(arch).run(Gemm("up", "up", m=64, k=1024, n=2048, mantissa_bits=1, output_mantissa_bits=9))
    return run.cycles, dict(run.counters)


def test_a_file_that_names_the_kind_inherits_no_keys_of_another(write: Write) -> None:
    keys = BANKS.partition("=")[2]
    file = write("extends: anda-hpca25", "name: banked", f"dram: {keys}")
    arch = load_arch(file)
    assert arch.dram.kind == "banks"
    onward = load_arch(file, ["dram.queue_bursts=8"])
    assert onward.dram.model_dump() == arch.dram.model_dump() | {"queue_bursts": 8}

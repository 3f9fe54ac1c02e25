"""All records, in the order in which they are made: what reads another stands after it."""

from __future__ import annotations

from records.attention_accuracy import SmolLm2Attention
from records.dram_effect import DramEffect
from records.gpu_forecast import GpuForecast
from records.microarchitecture.page import Microarchitecture
from records.precision_search import PrecisionSearch
from records.readme_comparison import ReadmeComparison
from records.record import Record
from records.reproduction import ReproductionRecord
from records.rtl_area import RtlArea
from records.rtl_checks import RtlChecks
from records.rtl_costs import RtlCosts
from records.schemas import Schemas
from records.smollm2 import SmolLm2
from records.sweeps import Sweeps
from records.tiny_llama import TinyLlama

RECORDS: dict[str, Record] = {
    record.name: record
    for record in (
        Schemas(),
        ReadmeComparison(),
        ReproductionRecord(),
        Sweeps(),
        PrecisionSearch(),
        TinyLlama(),
        SmolLm2(),
        SmolLm2Attention(),
        RtlChecks(),
        RtlArea(),
        RtlCosts(),
        Microarchitecture(),
        GpuForecast(),
        DramEffect(),
    )
}

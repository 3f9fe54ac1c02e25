"""Driver of ZigZag 3.9.1, run by the Python of its own environment; prints a line of JSON.

The stages of its own `get_hardware_performance_zigzag` less the pictures and the pickle: one spatial mapping (tokens
and outputs over the array, output stationary), its default search over temporal mappings for the lowest latency.
Energies play no part in that and are nominal.
"""

import json
import logging
import sys
import time
from pathlib import Path
from typing import Any

import yaml
from zigzag.mapping.temporal_mapping import TemporalMappingType
from zigzag.stages.evaluation.cost_model_evaluation import CostModelStage
from zigzag.stages.main import MainStage
from zigzag.stages.mapping.spatial_mapping_generation import SpatialMappingGeneratorStage
from zigzag.stages.mapping.temporal_mapping_generator_stage import TemporalMappingGeneratorStage
from zigzag.stages.parser.accelerator_parser import AcceleratorParserStage
from zigzag.stages.parser.workload_parser import WorkloadParserStage
from zigzag.stages.results.reduce_stages import MinimalLatencyStage, SumStage
from zigzag.stages.results.save import SimpleSaveStage
from zigzag.stages.workload_iterator import WorkloadStage

Tree = dict[str, Any]
STAGES = [
    WorkloadParserStage,
    AcceleratorParserStage,
    SimpleSaveStage,
    SumStage,
    WorkloadStage,
    MinimalLatencyStage,
    SpatialMappingGeneratorStage,
    MinimalLatencyStage,
    TemporalMappingGeneratorStage,
    CostModelStage,
]
SEARCH = {  # the defaults of get_hardware_performance_zigzag
    "loma_lpf_limit": 6,
    "nb_mappings_generated": 3,
    "enable_mix_spatial_mapping_generation": False,
    "access_same_data_considered_as_no_access": True,
    "temporal_mapping_type": TemporalMappingType.UNEVEN,
}
PRECISION = {"I": 16, "W": 4, "O": 32, "O_final": 16}
DRAM_BITS = 2**39


def port(name: str, bits: int, *served: str) -> Tree:
    """A memory port; its kind is the first part of its name."""
    kind = {"r": "read", "w": "write", "rw": "read_write"}[name.split("_")[0]]
    return {"name": name, "type": kind, "bandwidth_min": 8, "bandwidth_max": bits, "allocation": list(served)}


def memory(bits: int, operands: list[str], dimensions: list[str], *ports: Tree) -> Tree:
    return {
        "size": bits,
        "r_cost": 1,
        "w_cost": 1,
        "area": 0,
        "latency": 1,
        "operands": operands,
        "served_dimensions": dimensions,
        "ports": list(ports),
    }


def accelerator(array: Tree) -> Tree:
    """An accumulator in each PE, a buffer for weights and one for activations and outputs, and DRAM."""
    buffer, fill, both = 8 * 1024 * array["buffer_kibibytes"], 8192, ["D1", "D2"]
    accumulator = [
        port("r_port_1", 32, "O, tl"),
        port("r_port_2", 32, "O, th"),
        port("w_port_1", 32, "O, fh"),
        port("w_port_2", 32, "O, fl"),
    ]
    activation = [
        port("r_port_1", 1024, "I1, tl", "O, tl", "O, th"),
        port("w_port_1", fill, "I1, fh", "O, fh", "O, fl"),
    ]
    everything = [f"{operand}, {way}" for operand in ("I1", "I2") for way in ("fh", "tl")]
    everything += [f"O, {way}" for way in ("fh", "tl", "fl", "th")]
    channel = port("rw_port_1", 8 * array["dram_bytes_per_cycle"], *everything)
    return {
        "name": "array",
        "memories": {
            "accumulator": memory(PRECISION["O"], ["O"], [], *accumulator),
            "weight_buffer": memory(
                buffer, ["I2"], both, port("r_port_1", 1024, "I2, tl"), port("w_port_1", fill, "I2, fh")
            ),
            "activation_buffer": memory(buffer, ["I1", "O"], both, *activation),
            "dram": memory(DRAM_BITS, ["I1", "I2", "O"], both, channel),
        },
        "operational_array": {
            "unit_energy": 1,
            "unit_area": 1,
            "dimensions": both,
            "sizes": [array["rows"], array["columns"]],
        },
    }


def layer(number: int, m: int, k: int, n: int) -> Tree:
    return {
        "id": number,
        "name": f"gemm{number}",
        "operator_type": "Gemm",
        "equation": "O[b][k]+=I[b][c]*W[c][k]",
        "loop_dims": ["B", "C", "K"],
        "loop_sizes": [m, k, n],
        "operand_precision": PRECISION,
        "operand_source": {"W": number, "I": number},
    }


def main() -> None:
    """Evaluate the GeMMs of the first argument, JSON, in the present folder."""
    logging.disable(logging.WARNING)
    task = json.loads(sys.argv[1])
    array = task["array"]
    mapping = {
        "name": "default",
        "spatial_mapping": {"D1": [f"B, {array['rows']}"], "D2": [f"K, {array['columns']}"]},
        "memory_operand_links": {"O": "O", "W": "I2", "I": "I1"},
    }
    inputs = {
        "accelerator.yaml": accelerator(array),
        "mapping.yaml": [mapping],
        "workload.yaml": [layer(number, *gemm) for number, gemm in enumerate(task["gemms"])],
    }
    for name, content in inputs.items():
        Path(name).write_text(yaml.safe_dump(content, sort_keys=False))
    wall, cpu = time.perf_counter(), time.process_time()
    results = MainStage(
        STAGES,
        accelerator="accelerator.yaml",
        mapping="mapping.yaml",
        workload="workload.yaml",
        dump_folder="reports",
        loma_show_progress_bar=False,
        **SEARCH,
    ).run()
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    print(json.dumps({"wall_seconds": wall, "cpu_seconds": cpu, "cycles": int(results[0][0].latency_total2)}))


if __name__ == "__main__":
    main()

"""Runs a program: GeMMs that follow one another through units that do not drain."""

from __future__ import annotations

from sim.engine.activity import Recorder
from sim.laws.program import ProgramExpectation
from sim.machine.assembly import Assembly, Run, SimulationOptions
from sim.machine.execution import add_gemm_units
from sim.mapping.program import GemmProgram, ProgramLoads, ProgramTiles


def run_program(
    program: GemmProgram, options: SimulationOptions = SimulationOptions(), recorder: Recorder | None = None
) -> Run:
    """Simulate a program, from an empty pipeline to its last write.

    Raises
    ------
    InputError
        Where one of its GeMMs does not fit the machine.
    BrokenLawError
        Where the simulation contradicts itself.
    """
    expected = ProgramExpectation(program)
    course = expected.course
    assembly = Assembly(program.hardware, options, recorder)
    assembly.add_writer(course.layer_blocks * course.layers)
    tiles, loads = ProgramTiles(course), (ProgramLoads(course, "weights"), ProgramLoads(course, "activations"))
    add_gemm_units(
        assembly,
        tiles,
        loads,
        course.stages[0].pace.word_bits,
        encodes=any(stage.stream.compressed_rows for stage in course.stages),
        reduces=any(stage.stream.parts > 1 for stage in course.stages),
        labels=dict.fromkeys(operation.label for operation in program.operations),
        dependent=True,
    )
    run = assembly.run()
    expected.check(run)
    return run

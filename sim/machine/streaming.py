"""Runs a program: operations that follow one another through units that do not drain."""

from __future__ import annotations

from sim.engine.activity import Recorder
from sim.laws.program import ProgramExpectation
from sim.machine.assembly import Assembly, Run, SimulationOptions
from sim.machine.units import Walk, add_units
from sim.mapping.course import AttentionStage, Course, GemmStage
from sim.mapping.program import LayerProgram
from sim.mapping.program_nest import ProgramLoads, ProgramTiles, ProgramVector


def run_program(
    program: LayerProgram, options: SimulationOptions = SimulationOptions(), recorder: Recorder | None = None
) -> Run:
    """Simulate a program, from an empty pipeline to its last output.

    Raises
    ------
    InputError
        Where one of its operations does not fit the machine.
    BrokenLawError
        Where the simulation contradicts itself.
    """
    expected = ProgramExpectation(program)
    assembly = Assembly(program.hardware, options, recorder)
    add_units(assembly, walk_of(expected.course, whole=options.grain == "tile"))
    run = assembly.run()
    expected.check(run)
    return run


def walk_of(course: Course, *, whole: bool) -> Walk:
    """The walk through a program; `whole` as of `ProgramTiles`, where column tiles follow one another unhindered."""
    hardware, stages = course.program.hardware, [stage for section in course.sections for stage in section]
    gemms = [stage for stage in stages if isinstance(stage, GemmStage)]
    attentions = [stage for stage in stages if isinstance(stage, AttentionStage)]
    [*word_bits] = {stage.pace.word_bits for stage in gemms} | {
        stage.plan.pace.scores.word_bits for stage in attentions
    }
    assert len(word_bits) == 1
    return Walk(
        ProgramTiles(course, lambda stage: whole and stage.plan.flows(hardware)),
        ProgramLoads(course, "weights"),
        ProgramLoads(course, "activations"),
        outputs=course.stored_blocks,
        word_bits=word_bits[0],
        encodes=bool(attentions) or any(stage.stream.compressed_rows for stage in gemms),
        vector=ProgramVector(course) if len(gemms) < len(stages) else None,
        reduces=any(stage.stream.parts > 1 for stage in gemms),
        labels=dict.fromkeys(operation.label for operation, _ in course.program.times() if operation.on_mxu),
        dependent=True,
    )

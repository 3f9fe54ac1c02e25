"""Mode `search`: Optuna asks for points in batches of a fixed size and is told all of a batch in the order asked.

So what it asks for depends on the seed alone. A point that it has asked for before, and one that the constraints
prune, is told as failed: neither costs a simulation, and neither fills a generation.
"""

from __future__ import annotations

import warnings
from importlib.util import find_spec
from typing import Any

from sim.errors import InputError
from sim.sweep.axes import Axis
from sim.sweep.judge import PointVerdict
from sim.sweep.points import Points
from sim.sweep.schema import Sweep
from sim.sweep.space import ResolvedPoint

TRIALS_PER_POINT = 20
"""Asks, those that are told as failed included, before a search ends short of its points."""


def require_sampler() -> None:
    """Refuse where the package that asks for points is not installed.

    Raises
    ------
    InputError
        Saying what to install.
    """
    if find_spec("optuna") is None:
        raise InputError("`search` needs the package optuna", field="mode", facts={"install": "anda-sim[sweep]"})


def search(points: Points) -> None:
    """Search until as many different points as the sweep says are in the store, or nothing new is asked for."""
    require_sampler()
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    sweep, axes = points.space.sweep, points.space.axes
    study = optuna.create_study(directions=["minimize"] * len(sweep.objectives), sampler=_sampler(sweep))
    known: set[int] = set()
    left, trials = points.tally.total, TRIALS_PER_POINT * points.tally.total
    while left > 0 and trials > 0 and len(known) < points.space.size:
        batch = [study.ask() for _ in range(sweep.batch)]
        trials -= len(batch)
        numbers = [points.space.number([_level(trial, axis) for axis in axes]) for trial in batch]
        new = [number for number in dict.fromkeys(numbers) if number not in known]
        known |= set(new)
        designs = {design.number: design for design in points.admitted(new)}
        wanted = dict(list(designs.items())[:left])
        points.compute(wanted.values(), len(wanted))
        left -= len(wanted)
        for trial, number in zip(batch, numbers, strict=True):
            _tell(study, trial, points, wanted.pop(number, None))


def _tell(study: Any, trial: Any, points: Points, design: ResolvedPoint | None) -> None:
    from optuna.trial import TrialState

    verdict = PointVerdict(None) if design is None else points.verdict(design)
    if verdict.objectives is None:
        study.tell(trial, state=TrialState.FAIL)
        return
    if points.space.formulas.after:
        trial.set_constraint("broken", len(verdict.broken))
    study.tell(trial, verdict.objectives)


def _sampler(sweep: Sweep) -> Any:
    import optuna

    if sweep.sampler == "tpe":
        return optuna.samplers.TPESampler(seed=sweep.seed, n_startup_trials=sweep.batch, multivariate=True)
    return optuna.samplers.NSGAIISampler(seed=sweep.seed, population_size=max(sweep.batch, 2))


def _level(trial: Any, axis: Axis) -> int:
    """Index of the level asked for; numbers are neighbours in their order, other values are unordered."""
    last = len(axis.levels) - 1
    if last == 0:
        return 0
    ordered = len(axis.keys) == 1 and all(isinstance(axis.levels[end], int | float) for end in (0, last))
    level = trial.suggest_int(axis.name, 0, last) if ordered else trial.suggest_categorical(axis.name, range(last + 1))
    return int(level)

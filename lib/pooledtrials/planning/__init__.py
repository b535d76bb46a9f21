"""Planning the next trial: power by formula, operating characteristics by simulation.

A `PlannedTrial` says how far its arms move attendance, and `prospects` what to expect of it, or of
several: strength, power, coverage. `patients_needed`, `step_needed` and the like turn it round, and
`pilot_spreads` takes what they need to know from records that exist. ::

    plan = PlannedTrial(patients=600, step=5.0, months=(3, 6), **pilot_spreads(**rows).planned)
    prospects(plan, effect=-0.014, endogeneity=-0.1).describe()

A study is a design (instruments and controls that stay as they are), cells (strength, effect, law
of the errors) and a number of replications: ::

    design = make_design(z, controls, strata=trial)
    study = run(design, [Cell(design.strength(12.0), effect=0.0, rho=0.5)], reps=10_000)
    study.characteristics()  # bias, size, power and length of every estimator, test and set

`anderson_rubin_power` and `tsls_power` answer by formula for one instrument and independent rows,
and the functions of sample size turn them round.

`registry_sums` reads a registry larger than memory once, and every estimate follows from its sums;
`registry_from_twin` writes a synthetic one to try it on.
"""

from pooledtrials.planning.montecarlo.design import Cell, Design, make_design
from pooledtrials.planning.montecarlo.dispatch import Progress, RunStopped
from pooledtrials.planning.montecarlo.run import Study, run
from pooledtrials.planning.montecarlo.tally import Tally
from pooledtrials.planning.next_trial.arm_step import PlannedTrial
from pooledtrials.planning.next_trial.pilot import Spreads, pilot_spreads
from pooledtrials.planning.next_trial.power import (
    anderson_rubin_power,
    anderson_rubin_sample_size,
    tsls_power,
    tsls_sample_size,
)
from pooledtrials.planning.next_trial.prospects import Prospects, prospects
from pooledtrials.planning.next_trial.trial_size import (
    patients_for_strength,
    patients_needed,
    smallest_effect,
    step_for_strength,
    step_needed,
)
from pooledtrials.planning.registry import (
    RegistrySums,
    registry_designs,
    registry_from_twin,
    registry_sums,
)

__all__ = [
    "Cell",
    "Design",
    "PlannedTrial",
    "Progress",
    "Prospects",
    "RegistrySums",
    "RunStopped",
    "Spreads",
    "Study",
    "Tally",
    "anderson_rubin_power",
    "anderson_rubin_sample_size",
    "make_design",
    "patients_for_strength",
    "patients_needed",
    "pilot_spreads",
    "prospects",
    "registry_designs",
    "registry_from_twin",
    "registry_sums",
    "run",
    "smallest_effect",
    "step_for_strength",
    "step_needed",
    "tsls_power",
    "tsls_sample_size",
]

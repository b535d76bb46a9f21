"""Planning the next trial: power by formula, operating characteristics by simulation.

A study is a design (instruments and controls that stay as they are), cells (strength, effect, law
of the errors) and a number of replications: ::

    design = make_design(z, controls, strata)
    study = run(design, [Cell(design.strength(12.0), effect=0.0, rho=0.5)], reps=10_000)
    study.to_frame()  # bias, size, coverage and length of every estimator, test and set

`anderson_rubin_power` and `tsls_power` answer by formula for one instrument, and the functions of
sample size turn them round.
"""

from pooledtrials.planning.design import Cell, Design, make_design
from pooledtrials.planning.montecarlo import Study, Tally, run
from pooledtrials.planning.power import (
    anderson_rubin_power,
    anderson_rubin_sample_size,
    tsls_power,
    tsls_sample_size,
)

__all__ = [
    "Cell",
    "Design",
    "Study",
    "Tally",
    "anderson_rubin_power",
    "anderson_rubin_sample_size",
    "make_design",
    "run",
    "tsls_power",
    "tsls_sample_size",
]

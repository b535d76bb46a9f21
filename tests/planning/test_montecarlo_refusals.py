"""Bad input to designs, cells, samplers and runs."""

from __future__ import annotations

import numpy as np
import pytest

from pooledtrials.planning import Cell, make_design, run
from pooledtrials.planning.montecarlo import compiled
from pooledtrials.planning.montecarlo.samplers import cell_wishart, rows, wishart


@pytest.fixture(scope="module")
def design():
    g = np.random.default_rng(0)
    trial, arm = g.integers(0, 3, 240), g.integers(0, 2, 240)
    return make_design(np.eye(3)[trial] * arm[:, None], clusters=np.arange(240) // 6, strata=trial)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sampler": "normal"}, "sampler is 'normal'"),
        ({"reps": 0}, "reps is 0: give a whole number"),
        ({"reps": 1.5}, "reps is 1.5"),
        ({"block": 0}, "block is 0"),
        ({"level": 95}, "level is 95"),
        ({"cells": []}, "cells has 0 entries"),
        ({"design": []}, "design has 0 entries"),
        ({"reference": "t"}, "reference is 't'"),
        ({"engine": "fortran"}, "engine is 'fortran'"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 0.5}, "seed is 0.5"),
        ({"draws": 0}, "draws is 0"),
        ({"methods": ()}, "methods has 0 entries"),
        ({"methods": ("3SLS",)}, "methods is '3SLS'"),
        ({"methods": ("AR", "AR")}, "methods names one twice"),
        ({"methods": ("tF",)}, "derived for one instrument, but the design has 3"),
        ({"methods": ("wild AR",)}, "methods has 'wild AR', which needs the data's rows"),
        ({"covariances": ()}, "covariances has 0 entries"),
        ({"covariances": ("HC3",)}, "covariances is 'HC3'"),
        ({"covariances": ("robust",)}, "covariances are not only classical"),
        ({"covariances": ("clustered",), "sampler": "cell_wishart"}, "covariances are clustered"),
        ({"methods": "2SLS"}, "methods is '2SLS': give a sequence of names"),
        ({"methods": ("AR", 2)}, "methods holds 2: give a sequence of names"),
        ({"covariances": None}, "covariances is None: give a sequence of names"),
        ({"hypotheses": (np.nan,)}, "hypotheses is nan"),
        ({"hypotheses": 0.5}, "hypotheses is 0.5: give a sequence of numbers"),
        ({"hypotheses": np.array(0.5)}, "hypotheses is a ndarray: give a sequence of numbers"),
        ({"cells": Cell(np.ones(3))}, "cells is a Cell: give a sequence of Cell"),
        ({"cells": [None]}, "cells holds None"),
        ({"design": None}, "design is None: give a Design or a sequence of them"),
        ({"workers": 1.5}, "workers is 1.5: give a whole number, 1 or more"),
        ({"draws": 99.5}, "draws is 99.5"),
        ({"reps": None}, "reps is None"),
        ({"workers": 0}, "workers is 0"),
        ({"executor": "dask"}, "executor is a str"),
        ({"cells": [Cell(np.ones(2))]}, "theta of cell 0 has shape"),
        ({"cells": [Cell(np.array([1.0, np.nan, 0]))]}, "theta of cell 0 is not finite in 1"),
        ({"cells": [Cell(np.ones(3), design=1)]}, "design of cell 0 is 1, but there are 1"),
        ({"cells": [Cell(np.ones(3), scale=np.ones(3))]}, "scale of cell 0 has shape"),
        ({"cells": [Cell(np.ones(3), scale=-np.ones(240))]}, "scale of cell 0 is negative"),
        ({"cells": [Cell(np.ones(3), deviations=np.ones(9))]}, "deviations of cell 0 has shape"),
        ({"cells": [Cell(np.ones(3), shared=0.5)]}, "errors are shared within clusters"),
    ],
)
def test_run_refuses(design, change, message):
    arguments = {"design": design, "cells": [Cell(design.strength(1.0))], "reps": 10} | change
    with pytest.raises(ValueError, match=message):
        run(arguments.pop("design"), **arguments)


def test_tf_takes_its_level():
    one = make_design(np.tile([0.0, 1.0], 20))
    with pytest.raises(ValueError, match="methods has 'tF', whose critical values are for 5 %"):
        run(one, [Cell(np.ones(1))], 5, methods=("tF",), level=0.9)


def test_executor_and_workers_exclude_each_other(design):
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(1) as pool, pytest.raises(ValueError, match="both given"):
        run(design, [Cell(design.strength(1.0))], 5, executor=pool, workers=2)


def test_a_client_is_not_an_executor(design):
    class Client:
        def get_executor(self):
            raise AssertionError

    with pytest.raises(ValueError, match=r"executor is a Client: .* such as client.get_executor"):
        run(design, [Cell(design.strength(1.0))], 5, executor=Client())


@pytest.mark.parametrize("seed", range(5))
def test_a_design_of_normal_draws_is_a_design(seed):
    drawn = np.random.default_rng(seed).normal(size=300)
    assert make_design(drawn).n_instruments == 1
    assert make_design(np.arange(300) % 2, drawn).n_instruments == 1


def test_clusters_must_be_more_than_the_covariance_needs():
    g = np.random.default_rng(1)
    few = make_design(g.normal(size=(60, 3)), clusters=np.arange(60) // 12)
    cell = Cell(few.strength(1.0))
    options = {"sampler": "rows", "covariances": ("clustered",)}
    with pytest.raises(ValueError, match="5 clusters for 3 instruments"):
        run(few, [cell], 5, **options)
    assert run(few, [cell], 5, methods=("2SLS", "AR"), **options).tallies
    without = make_design(g.normal(size=(60, 3)))
    with pytest.raises(ValueError, match="the design has no clusters"):
        run(without, [Cell(without.strength(1.0))], 5, **options)
    with pytest.raises(ValueError, match=r"shared of cell 0 is 0\.5, but the design has no"):
        run(without, [Cell(without.strength(1.0), shared=0.5)], 5, sampler="rows")


def test_samplers_refuse_what_they_cannot_do(design):
    g = np.random.default_rng(3)
    plain = (5, g, ("classical",), "numpy")
    scale = np.linspace(1, 2, design.nobs)
    uneven = Cell(design.strength(1.0), scale=scale)
    with pytest.raises(ValueError, match="sampler is 'wishart', but the cell has a scale"):
        wishart(design, uneven, *plain)
    with pytest.raises(ValueError, match="scale varies within cells"):
        cell_wishart(design, uneven, *plain)
    moved = Cell(design.strength(1.0), deviations=scale)
    with pytest.raises(ValueError, match="deviations vary within cells"):
        cell_wishart(design, moved, *plain)
    with pytest.raises(ValueError, match="the cell has deviations"):
        wishart(design, moved, *plain)
    assert rows(design, uneven, *plain).reduced_form.shape == (5, 3)
    own = Cell(design.strength(1.0), errors=lambda generator, reps, n: np.zeros((reps, n)))
    with pytest.raises(ValueError, match="errors returned shape"):
        rows(design, own, *plain)
    with pytest.raises(ValueError, match="errors are not normal"):
        cell_wishart(design, own, *plain)
    continuous = make_design(g.normal(size=(50, 1)))
    with pytest.raises(ValueError, match="50 rows form 50 cells"):
        cell_wishart(continuous, Cell(continuous.strength(1.0)), *plain)
    draws = wishart(design, Cell(design.strength(1.0)), *plain)
    with pytest.raises(ValueError, match="covariance is 'robust', but its sums were not drawn"):
        draws.moments(design, "robust")


def test_errors_that_fail_say_so(design):
    """An error of the cell's own function comes through as it is, from any worker."""

    def errors(generator, reps, n):
        if reps > 1:
            raise ZeroDivisionError("mine")
        return np.ones((reps, n, 2))

    cell = Cell(design.strength(1.0), errors=errors)
    for workers in (1, 2):
        with pytest.raises(ZeroDivisionError, match="mine"):
            run(design, [cell], 64, sampler="rows", workers=workers)


def test_designs_and_cells_refuse(design):
    with pytest.raises(ValueError, match="concentration is -1"):
        design.strength(-1.0)
    with pytest.raises(ValueError, match="direction has shape"):
        design.strength(1.0, [1.0])
    with pytest.raises(ValueError, match="rho is 1"):
        Cell(design.strength(1.0), rho=1.0)
    with pytest.raises(ValueError, match="shared is 1"):
        Cell(design.strength(1.0), shared=1.0)
    with pytest.raises(ValueError, match="effect is inf"):
        Cell(design.strength(1.0), np.inf)
    with pytest.raises(ValueError, match="errors are your own, but rho"):
        Cell(design.strength(1.0), rho=0.5, errors=lambda g, r, n: np.ones((r, n, 2)))
    with pytest.raises(ValueError, match="z column z1 is a linear combination"):
        make_design(np.column_stack([np.arange(9.0), 2 * np.arange(9.0)]))
    with pytest.raises(ValueError, match="z has 4 rows"):
        make_design(np.eye(4)[:, :3])
    with pytest.raises(ValueError, match="clusters has 1 cluster"):
        make_design(np.arange(9.0), clusters=np.zeros(9))


def test_engines_are_asked_for_by_name(monkeypatch):
    monkeypatch.setattr(compiled, "available", lambda: False)
    assert compiled.engine_of("auto") == "numpy"
    with pytest.raises(ValueError, match=r"install pooledtrials\[fast\]"):
        compiled.engine_of("numba")

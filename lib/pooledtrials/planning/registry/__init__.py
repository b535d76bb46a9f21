"""Registries: patients by the million, in Parquet files that need not fit into memory.

`registry_sums` reads them once and returns `RegistrySums`, from which first stage, two-stage least
squares, robust tests and sets and fixed effects follow, clustered by patient. `registry_from_twin`
writes synthetic ones of any size.
"""

from pooledtrials.planning.registry.estimates import RegistrySums
from pooledtrials.planning.registry.generator import registry_designs, registry_from_twin
from pooledtrials.planning.registry.sums import registry_sums

__all__ = ["RegistrySums", "registry_designs", "registry_from_twin", "registry_sums"]

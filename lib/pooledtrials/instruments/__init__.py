"""Weak instruments in randomized trials: strength, estimators, robust tests and sets.

Arguments come in one order everywhere: ``y`` outcome, ``x`` exposure, ``z`` instruments,
``controls``, ``clusters``, ``strata``; an intercept, controls and strata are partialled out.
Covariances are classical, robust (HC1), or clustered (CR1) whenever clusters are given.
"""

from pooledtrials.confidence_set import ConfidenceSet
from pooledtrials.instruments.arm_difference import arm_difference
from pooledtrials.instruments.bootstrap import wild_bootstrap_set, wild_bootstrap_test
from pooledtrials.instruments.causal_response import causal_response_weights
from pooledtrials.instruments.effective_f import EffectiveF
from pooledtrials.instruments.estimators import (
    estimates,
    fuller,
    k_class,
    liml,
    ols,
    tsls,
)
from pooledtrials.instruments.jackknife import jive
from pooledtrials.instruments.moments import Moments, joint_moments
from pooledtrials.instruments.noncompliance import (
    ComplierShares,
    complier_means,
    complier_shares,
)
from pooledtrials.instruments.partialling import Partialled, partial_out
from pooledtrials.instruments.pooled import (
    ByTrial,
    by_trial,
    pooled_first_stage,
    trial_instruments,
)
from pooledtrials.instruments.randomization import randomization_set, randomization_test
from pooledtrials.instruments.readings import (
    AsymmetryReading,
    EndogeneityReading,
    asymmetry_reading,
    endogeneity_reading,
    t_test_rejection,
    worst_case_size,
)
from pooledtrials.instruments.report import WeakInstrumentReport, weak_instrument_report
from pooledtrials.instruments.robust_sets import (
    anderson_rubin_set,
    conditional_lr_set,
    j_set,
    kleibergen_set,
    robust_set,
)
from pooledtrials.instruments.robust_tests import (
    anderson_rubin_test,
    conditional_lr_test,
    j_test_at,
    kleibergen_test,
    null_test,
)
from pooledtrials.instruments.specification_tests import (
    durbin_wu_hausman_test,
    gmm,
    hansen_j_test,
    liml_overidentification_test,
    sargan_test,
)
from pooledtrials.instruments.stock_yogo import stock_yogo_critical_value
from pooledtrials.instruments.strength import FirstStage, first_stage, five_f, rank_lm_test
from pooledtrials.instruments.tf import TF, tf_critical_value, tf_test
from pooledtrials.instruments.two_sample import TwoSample, two_sample_tsls
from pooledtrials.instruments.two_step import TwoStep, two_step_set
from pooledtrials.instruments.wald_ratio import WaldRatio, wald_ratio
from pooledtrials.results import Estimate, Test

__all__ = [
    "TF",
    "AsymmetryReading",
    "ByTrial",
    "ComplierShares",
    "ConfidenceSet",
    "EffectiveF",
    "EndogeneityReading",
    "Estimate",
    "FirstStage",
    "Moments",
    "Partialled",
    "Test",
    "TwoSample",
    "TwoStep",
    "WaldRatio",
    "WeakInstrumentReport",
    "anderson_rubin_set",
    "anderson_rubin_test",
    "arm_difference",
    "asymmetry_reading",
    "by_trial",
    "causal_response_weights",
    "complier_means",
    "complier_shares",
    "conditional_lr_set",
    "conditional_lr_test",
    "durbin_wu_hausman_test",
    "endogeneity_reading",
    "estimates",
    "first_stage",
    "five_f",
    "fuller",
    "gmm",
    "hansen_j_test",
    "j_set",
    "j_test_at",
    "jive",
    "joint_moments",
    "k_class",
    "kleibergen_set",
    "kleibergen_test",
    "liml",
    "liml_overidentification_test",
    "null_test",
    "ols",
    "partial_out",
    "pooled_first_stage",
    "randomization_set",
    "randomization_test",
    "rank_lm_test",
    "robust_set",
    "sargan_test",
    "stock_yogo_critical_value",
    "t_test_rejection",
    "tf_critical_value",
    "tf_test",
    "trial_instruments",
    "tsls",
    "two_sample_tsls",
    "two_step_set",
    "wald_ratio",
    "weak_instrument_report",
    "wild_bootstrap_set",
    "wild_bootstrap_test",
    "worst_case_size",
]

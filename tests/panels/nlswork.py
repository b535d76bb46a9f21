"""The regression of Stata's manual on its National Longitudinal Survey."""

# The order of the terms in Stata's manual.
NLSWORK_TERMS = [
    "grade", "age", "age2", "ttl_exp", "ttl_exp2", "tenure", "tenure2", "black", "not_smsa",
    "south",
]  # fmt: skip

"""Weak instruments, panel regressions and selection bias in pooled randomized trials."""

__version__ = "0.1.0"

"""Simulation at scale: designs, samplers, one panel of statistics, blocks on any executor."""

"""What the design of a trial is, and of whom its synthetic twin is made up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date


@dataclass(frozen=True)
class Arm:
    """One randomized arm.

    Attributes
    ----------
    name : str
        As the trial calls it.
    patients : int
        Number randomized to it in one copy of the trial.
    active : int
        1 if the arm facilitates twelve-step meetings, else 0.
    drug, alcohol : float
        What else is in the arm, in standard deviations of latent severity from the first
        follow-up on: vouchers or disulfiram, which have nothing to do with meetings.
    """

    name: str
    patients: int
    active: int
    drug: float = 0.0
    alcohol: float = 0.0


@dataclass(frozen=True)
class Design:
    """Design of one trial, and how the synthetic patients of its twin are made up.

    Attributes
    ----------
    name : str
        Short name, the ``trial`` of every table.
    stream : int
        Key of the trial's own stream of random numbers; never reuse one.
    arms : tuple of Arm
        In the order of allocation.
    waves : tuple of int
        Planned interviews, in months since randomization, the first 0.
    sites : int
        Number of sites.
    recruitment : tuple of date
        First and last possible day of randomization.
    age : tuple of float
        Mean and standard deviation, in years, of a normal cut to 18-70.
    female, homeless : float
        Shares of patients, 0 to 1.
    race, primary : mapping
        Shares by category; they sum to 1.
    attendance : float
        How much more than in HELP patients attend, in standard deviations of latent attendance.
    severity_drug, severity_alcohol : float
        Mean latent severity at baseline, in standard deviations; at 0 half of the patients use.
    medical : float
        How much more medical problems than in HELP, in standard deviations.
    follow_up : tuple of float
        Target share interviewed at the first and at the last follow-up.
    deaths : float
        Share of patients who die within a year.
    rise : float
        Rise of attendance after baseline, and its later decline, relative to HELP's.
    course : float
        Fall of severity after baseline relative to HELP's, whose patients start in detoxification.
    used_before : bool
        Whether use of the primary drug in the month before intake was a criterion of entry.
    methadone : bool
        Whether all patients receive methadone every day, counted in item ``D4``.
    source : mapping
        What is published and what is assumed, by subject.
    """

    name: str
    stream: int
    arms: tuple[Arm, ...]
    waves: tuple[int, ...]
    sites: int
    recruitment: tuple[date, date]
    age: tuple[float, float]
    female: float
    homeless: float
    race: Mapping[str, float]
    primary: Mapping[str, float]
    attendance: float
    severity_drug: float
    severity_alcohol: float
    medical: float
    follow_up: tuple[float, float]
    deaths: float
    rise: float = 0.6
    course: float = 0.7
    used_before: bool = False
    methadone: bool = False
    source: Mapping[str, str] = field(default_factory=dict)

    @property
    def patients(self) -> int:
        """Number randomized in one copy."""
        return sum(arm.patients for arm in self.arms)

"""The six trials that the synthetic twin imitates: arms, sites, schedules, patients.

The letter after a fact in ``source`` says where it is from:

- **S**: read in a paper's abstract or an excerpt, or on the study's own page. Published.
- **S2**: read on another page that reports it. Published, at second hand.
- **D**: derived by arithmetic from published numbers.
- **A**: assumed. Some of these are recalled from the papers but could not be checked; they stand
  beside free choices on purpose, because neither may be quoted as published.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType
from typing import Final

from pooledtrials.pooling.twin.designs import Arm, Design

_BLACK, _WHITE, _HISPANIC, _OTHER = "African American or Black", "White", "Hispanic", "other"


def _race(black: float, white: float, hispanic: float, other: float) -> Mapping[str, float]:
    return {_BLACK: black, _WHITE: white, _HISPANIC: hispanic, _OTHER: other}


_ASSUMED_PATIENTS = "A: age, race, homelessness, and levels of use and attendance."

STAGE12: Final = Design(
    name="stage12",
    stream=1,
    arms=(Arm("TAU", 237, 0), Arm("STAGE-12", 234, 1)),
    waves=(0, 1, 2, 3, 6),
    sites=10,
    recruitment=(date(2009, 1, 5), date(2010, 9, 30)),
    age=(38, 9),
    female=0.59,
    homeless=0.20,
    race=_race(0.37, 0.47, 0.08, 0.08),
    primary={"cocaine": 0.65, "amphetamines": 0.35},
    attendance=-0.2,
    severity_drug=0.55,
    severity_alcohol=-0.15,
    medical=-0.3,
    follow_up=(0.85, 0.78),
    deaths=0.005,
    source={
        "arms": "n = 471 and 234 in STAGE-12 S; 237 in TAU D.",
        "waves": "S: baseline and days 30, 60, 90 and 180.",
        "sites": "S: ten programs were planned.",
        "recruitment": "A; the protocol is of December 2008 S.",
        "patients": "S: stimulant use disorders. A: 59 % women, shares by drug. "
        f"{_ASSUMED_PATIENTS}",
        "follow_up": "A.",
    },
)

CCTS: Final = Design(
    name="ccts",
    stream=2,
    arms=(
        Arm("CT+GDC", 119, 0),
        Arm("SE+GDC", 124, 0),
        Arm("IDC+GDC", 121, 1),
        Arm("GDC", 123, 0),
    ),
    waves=(0, 1, 2, 3, 4, 5, 6, 9, 12),
    sites=5,
    recruitment=(date(1991, 9, 2), date(1995, 12, 29)),
    age=(34, 7),
    female=0.232,
    homeless=0.05,
    race=_race(0.40, 0.57, 0.02, 0.01),
    primary={"cocaine": 1.0},
    attendance=-0.25,
    severity_drug=0.60,
    severity_alcohol=0.0,
    medical=-0.5,
    follow_up=(0.82, 0.68),
    deaths=0.004,
    rise=0.1,
    used_before=True,
    source={
        "arms": "Four arms and n = 487 S; the numbers by arm A (they sum to 487). That only "
        "individual drug counseling (IDC) facilitates is A: it rests on a twelve-step model S, and "
        "so may group counseling (GDC), which all arms have.",
        "waves": "S: monthly for 6 months, then 9 and 12 (15 and 18, S, are left out).",
        "sites": "S: five in one paper, four clinical centers on the study's page; five here.",
        "recruitment": "A, within the study's years 1991-1997 S.",
        "patients": "S: cocaine dependence, all used in the month before intake, 76.8 % men. "
        f"{_ASSUMED_PATIENTS} Attendance is set so that about 34 % go at least weekly at entry S "
        "and hardly rises: two thirds went at all in 24 weeks S, a share that the twin exceeds.",
        "follow_up": "A.",
    },
)

REFERRAL: Final = Design(
    name="referral",
    stream=3,
    arms=(Arm("standard referral", 181, 0), Arm("intensive referral", 164, 1)),
    waves=(0, 6, 12),
    sites=1,
    recruitment=(date(2002, 8, 1), date(2004, 5, 28)),
    age=(47, 8),
    female=0.02,
    homeless=0.35,
    race=_race(0.45, 0.42, 0.08, 0.05),
    primary={
        "alcohol": 0.42,
        "cocaine": 0.33,
        "cannabis": 0.13,
        "heroin": 0.06,
        "amphetamines": 0.06,
    },
    attendance=-0.2,
    severity_drug=0.55,
    severity_alcohol=0.45,
    medical=0.1,
    follow_up=(0.93, 0.93),
    deaths=0.01,
    rise=1.0,
    source={
        "arms": "n = 345 S; 181 and 164 A (they sum to 345).",
        "waves": "S.",
        "sites": "S: VA Palo Alto; one site A.",
        "recruitment": "A, within the project's years July 2002 to June 2005 S.",
        "patients": "S2: substance of choice alcohol 46, cocaine 36, cannabis 22 %, others under "
        "10 % each; as these exceed 100 %, single primary substances are scaled down A. A: almost "
        f"all men. {_ASSUMED_PATIENTS} Attendance is set so that about 61 % of the standard arm "
        "go at least weekly S.",
        "follow_up": "S: 93 %.",
    },
)  # fmt: skip

CRA_TSF: Final = Design(
    name="cra_tsf",
    stream=4,
    arms=(
        Arm("CRA, vouchers", 37, 0, drug=-0.2),
        Arm("CRA, yoked vouchers", 36, 0),
        Arm("TSF, vouchers", 36, 1, drug=-0.2),
        Arm("TSF, yoked vouchers", 36, 1),
    ),
    waves=(0, 3, 6, 9, 12),
    sites=1,
    recruitment=(date(2002, 3, 4), date(2007, 11, 30)),
    age=(31, 6),
    female=1.0,
    homeless=0.10,
    race=_race(0.50, 0.35, 0.12, 0.03),
    primary={"cocaine": 1.0},
    attendance=-0.35,
    severity_drug=0.60,
    severity_alcohol=-0.2,
    medical=-0.4,
    follow_up=(0.83, 0.75),
    deaths=0.004,
    source={
        "arms": "2 x 2 and n = 145 S; numbers by cell A, about equal. Vouchers that depend on "
        "abstinence did better S; how much, in latent severity, A.",
        "waves": "S.",
        "sites": "A.",
        "recruitment": "A.",
        "patients": f"S: cocaine-dependent women, pregnant or with young children. "
        f"{_ASSUMED_PATIENTS}",
        "follow_up": "A.",
    },
)

DISULFIRAM: Final = Design(
    name="disulfiram",
    stream=5,
    arms=(
        Arm("standard counseling, placebo", 28, 0),
        Arm("standard counseling, disulfiram", 28, 0, alcohol=-0.2),
        Arm("TSF, placebo", 28, 1),
        Arm("TSF, disulfiram", 28, 1, alcohol=-0.2),
    ),
    waves=(0, 1, 2, 3, 6),
    sites=1,
    recruitment=(date(2003, 1, 6), date(2008, 6, 30)),
    age=(38, 8),
    female=0.40,
    homeless=0.05,
    race=_race(0.20, 0.60, 0.17, 0.03),
    primary={"cocaine": 1.0},
    attendance=-0.3,
    severity_drug=0.65,
    severity_alcohol=-0.4,
    medical=0.0,
    follow_up=(0.86, 0.76),
    deaths=0.01,
    methadone=True,
    source={
        "arms": "n = 112 D, as what the other five leave of 1730; 2 x 2 and equal cells A.",
        "waves": "A.",
        "sites": "A.",
        "recruitment": "A.",
        "patients": f"A: cocaine users maintained on methadone. {_ASSUMED_PATIENTS} That "
        "prescribed methadone counts in D4 is A: the manual's rule could not be read.",
        "follow_up": "A.",
    },
)

HIVCM: Final = Design(
    name="hivcm",
    stream=6,
    arms=(Arm("contingency management groups", 89, 0), Arm("twelve-step groups", 81, 1)),
    waves=(0, 1, 3, 6, 9, 12),
    sites=2,
    recruitment=(date(2003, 4, 1), date(2007, 6, 29)),
    age=(43, 8),
    female=0.45,
    homeless=0.15,
    race=_race(0.50, 0.15, 0.32, 0.03),
    primary={"cocaine": 0.70, "heroin": 0.30},
    attendance=-0.25,
    severity_drug=0.30,
    severity_alcohol=-0.3,
    medical=0.7,
    follow_up=(0.91, 0.83),
    deaths=0.02,
    source={
        "arms": "n = 170, 81 and 89 S.",
        "waves": "S: months 1, 3, 6, 9, 12 after baseline.",
        "sites": "Drop-in centers S; two A.",
        "recruitment": "A.",
        "patients": f"S: HIV-positive, cocaine or opioid use disorders; shares A. "
        f"{_ASSUMED_PATIENTS}",
        "follow_up": "D: 80 to 93 %; its course over the waves A.",
    },
)

DESIGNS: Final[Mapping[str, Design]] = MappingProxyType(
    {d.name: d for d in (STAGE12, CCTS, REFERRAL, CRA_TSF, DISULFIRAM, HIVCM)}
)
"""The six designs by name, in the order of every table."""

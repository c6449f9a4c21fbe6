"""Lengths of limbs, trunk and girdles that vary on their own, as surveys of people find them.

Means, as shares of the stature: Drillis and Contini (1966, in Winter, Biomechanics and Motor
Control of Human Movement, figure 4.1) for thigh 0.245, shin 0.246, hip joints 0.104 apart; de Leva
(J. Biomech. 29, 1996) for what lies between joint centres rather than surface landmarks: upper arm
0.162, forearm 0.154 and 0.152 (Drillis and Contini 0.146), trunk 0.296 and 0.287 from mid-hip to
mid-shoulder, arms down (raised arms lift the shoulders by about 0.01). Shoulder joints: biacromial
breadth less the way from the acromion to the joint, about 0.20.

Spread: ANSUR II (Gordon et al. 2014, Natick/TR-15/007) has standard deviations of 5 to 6 % of the
mean for segments of arms and legs, 4.5 to 5 % for biacromial and 6 to 7 % for hip breadth, 4 % for
stature, within a sex, and correlations with stature of 0.8 to 0.9 for limbs, 0.8 for sitting
height, 0.5 for breadths; what is left at a given stature is `SPREAD`, rounded. Legs and trunk
share one stature, so long legs go with a short trunk. Sitting height is a larger share of the
stature in children: 0.555 at six, 0.52 at fourteen (WHO and NHANES growth tables).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from tools.body.source import Array

LENGTHS = ("thigh", "shin", "upper_arm", "forearm", "trunk", "shoulders", "hips")
#: Mean share of the stature, man and woman.
MEAN = {
    "thigh": (0.245, 0.245),
    "shin": (0.247, 0.245),
    "upper_arm": (0.164, 0.163),
    "forearm": (0.152, 0.148),
    "trunk": (0.300, 0.299),
    "shoulders": (0.210, 0.200),
    "hips": (0.102, 0.107),
}
#: Standard deviation at a given stature and sex, as a share of the mean.
SPREAD = {
    "thigh": 0.035,
    "shin": 0.032,
    "upper_arm": 0.035,
    "forearm": 0.035,
    "trunk": 0.022,  # besides what the legs leave to it
    "shoulders": 0.045,
    "hips": 0.06,
}
LIMB_CORRELATION = 0.25  # between thigh and shin, and between upper arm and forearm
TRUNK_FOR_LEGS = -0.6  # of what the legs have more, the trunk has less; head and neck the rest
CHILD_AGE = (6.0, 14.0)  # anny's years
#: What a six year old has of an adult's share.
CHILD = {"thigh": 0.93, "shin": 0.94, "upper_arm": 0.97, "forearm": 0.97}


@dataclass(frozen=True)
class Control:
    """Local changes of the source model that set one length together."""

    changes: tuple[str, ...]
    gain: tuple[float, float]
    """Share of the stature per unit of change, above and below zero, in the average adult."""
    limit: float = 1.2


#: Measured on the average adult, 0.5 either way; each moves the other lengths little.
CONTROLS = {
    "thigh": Control(("upperlegs-height-incr",), (0.052, 0.036), 1.5),
    "shin": Control(("lowerlegs-height-incr",), (0.043, 0.031)),
    "upper_arm": Control(("measure-upperarm-length-incr",), (0.039, 0.027)),
    "forearm": Control(("measure-lowerarm-length-incr",), (0.036, 0.025)),
    "trunk": Control(("measure-napetowaist-dist-incr", "torso-scale-vert-incr"), (0.100, 0.051)),
    "shoulders": Control(("measure-shoulder-dist-incr", "torso-vshape-incr"), (0.054, 0.043)),
    "hips": Control(("hip-scale-horiz-incr",), (0.017, 0.017)),
}


def draw_shares(woman: Array, years: Array, rng: np.random.Generator) -> dict[str, Array]:
    """Shares of the stature of N people, by name (N,).

    `woman` (N,) 0 for a man, 1 for a woman, anything between; `years` (N,) age.
    """
    noise = _noise(len(woman), rng)
    young = 1.0 - np.clip((years - CHILD_AGE[0]) / (CHILD_AGE[1] - CHILD_AGE[0]), 0.0, 1.0)
    mean = {name: man + (other - man) * woman for name, (man, other) in MEAN.items()}
    mean = {name: m * (1.0 - young * (1.0 - CHILD.get(name, 1.0))) for name, m in mean.items()}
    share = {name: mean[name] * (1.0 + SPREAD[name] * noise[name]) for name in LENGTHS}
    legs = share["thigh"] + share["shin"] - mean["thigh"] - mean["shin"]
    share["trunk"] = share["trunk"] + TRUNK_FOR_LEGS * legs
    return share


def _noise(count: int, rng: np.random.Generator) -> dict[str, Array]:
    noise = {name: np.clip(rng.normal(size=count), -2.5, 2.5) for name in LENGTHS}
    for first, second in (("thigh", "shin"), ("upper_arm", "forearm")):
        own = np.sqrt(1.0 - LIMB_CORRELATION**2)
        noise[second] = LIMB_CORRELATION * noise[first] + own * noise[second]
    return noise


def measure(joints: Array) -> dict[str, Array]:
    """Lengths (N,) by name, metres, of T-posed SMPL joints (N, 24, 3)."""
    pairs = {
        "thigh": (1, 4),
        "shin": (4, 7),
        "upper_arm": (16, 18),
        "forearm": (18, 20),
        "shoulders": (16, 17),
        "hips": (1, 2),
    }
    length = {k: np.linalg.norm(joints[:, a] - joints[:, b], axis=1) for k, (a, b) in pairs.items()}
    middle = joints[:, [16, 17]].mean(1) - joints[:, [1, 2]].mean(1)
    return length | {"trunk": np.linalg.norm(middle, axis=1)}


def step(
    amount: dict[str, Array], lengths: dict[str, Array], stature: Array, share: dict[str, Array]
) -> dict[str, Array]:
    """Better amounts of the controls (N,), from the lengths that `amount` gave.

    Stature is what legs, trunk and the rest add up to: with the rest unchanged it becomes
    rest / (1 - wanted shares), and that is what the wanted lengths are shares of.
    """
    upright = ("thigh", "shin", "trunk")
    rest = stature - sum(lengths[name] for name in upright)
    goal = rest / (1.0 - sum(share[name] for name in upright))
    better = {}
    for name, control in CONTROLS.items():
        above, below = (gain * stature for gain in control.gain)
        effect = np.where(amount[name] > 0, above, below) * amount[name]
        effect = effect + share[name] * goal - lengths[name]
        change = np.where(effect > 0, effect / above, effect / below)
        better[name] = np.clip(change, -control.limit, control.limit)
    return better

"""How the learning rate changes over a run."""

import math
from dataclasses import dataclass
from typing import Self

from segprep.train.learning.sections import ScheduleConfig

__all__ = ["Plateau", "learning_rate"]


@dataclass(frozen=True, slots=True)
class Plateau:
    """What `plateau` remembers between validations.

    Attributes:
        best: The highest metric so far; None before the first.
        fruitless: Validations since then.
        halvings: How often the learning rate was halved.
        stop: Whether the run should end.
    """

    best: float | None = None
    fruitless: int = 0
    halvings: int = 0
    stop: bool = False

    def updated(self, metric: float, config: ScheduleConfig) -> Self:
        """Return the state after a validation.

        A better metric begins to count anew and leaves the rate as it is. A metric that is not finite, which a
        validation without labelled pixels gives, changes nothing.

        Args:
            metric: Higher is better.
            config: How patient to be. Patience 1 and 3 fruitless halvings: metrics .5, .4, .6, .6, .5, .4 halve at the
                second, fourth, fifth and sixth and stop there.
        """
        if not math.isfinite(metric):
            return self
        if self.best is None or metric > self.best:
            return type(self)(metric, 0, self.halvings, False)
        fruitless = self.fruitless + 1
        halvings = self.halvings + (fruitless % config.patience == 0)
        return type(self)(self.best, fruitless, halvings, fruitless >= config.patience * config.fruitless_halvings)


def learning_rate(config: ScheduleConfig, step: int, steps: int, halvings: int = 0) -> float:
    """Return the learning rate of step `step` of `steps`; `step == steps` is the end, which no update uses.

    `poly`: (lr - end_lr) (1 - step / steps)^power + end_lr. `cosine`: (lr - end_lr) (1 + cos(pi step / steps)) / 2 +
    end_lr (Loshchilov, Hutter: SGDR. ICLR 2017, without restarts). `exponential`: lr multiplier^(max(0, step - start) /
    (steps - start)). At step 55,000 of PARIS' 70,000 with lr 1e-3 that is 1e-3 * 1e-3^0.5 = 3.16e-5. `plateau`: lr
    0.5^halvings. In the warm-up each is multiplied by (step + 1) / warmup_steps.

    Args:
        config: The schedule.
        step: Number of updates before this one.
        steps: Of the whole run.
        halvings: Of `Plateau`; the other kinds do not look at it.
    """
    warmth = min(1.0, (step + 1) / config.warmup_steps) if config.warmup_steps else 1.0
    return warmth * _full_rate(config, step, steps, halvings)


def _full_rate(config: ScheduleConfig, step: int, steps: int, halvings: int) -> float:
    match config.kind:
        case "poly":
            return float((config.lr - config.end_lr) * (1 - step / steps) ** config.power + config.end_lr)
        case "cosine":
            return (config.lr - config.end_lr) * (1 + math.cos(math.pi * step / steps)) / 2 + config.end_lr
        case "exponential":
            start = config.decay_start_step or config.decay_start * steps
            share = max(0.0, step - start) / (steps - start) if start < steps else 0.0
            return float(config.lr * config.decay_multiplier**share)
        case "plateau":
            return config.lr * 0.5**halvings
        case "constant":
            return config.lr

"""How the learning rate changes over a run."""

import math
from dataclasses import dataclass
from typing import Any, Literal, Self

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.sample import JsonDict

__all__ = ["Plateau", "ScheduleConfig", "learning_rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """The learning rate by step.

    Attributes:
        kind: `poly` falls from the first step and ends at `end_lr`; `exponential` is PARIS': constant, then
            exponential; `plateau` is FCN8s': halved when validations no longer improve; `constant`.
        lr: Learning rate of the first step, after the warm-up if there is one.
        power: Exponent of `poly`.
        end_lr: Where `poly` ends.
        decay_start: Share of the steps after which `exponential` begins to fall; 4/7 is PARIS' 40,000 of 70,000.
        decay_start_step: The same as a step; 0 leaves it to `decay_start`. From the last step on it never falls.
        decay_multiplier: What `exponential` has multiplied the learning rate by at the last step.
        warmup_steps: Steps at the beginning over which the rate grows from nearly 0, with every kind.
        patience: Validations without a better one after which `plateau` halves the rate.
        fruitless_halvings: Of these in a row, `plateau` ends the run; 3 with patience 1 is FCN8s'.
    """

    kind: Literal["poly", "exponential", "plateau", "constant"] = "poly"
    lr: float = 1e-3
    power: float = 0.9
    end_lr: float = 0.0
    decay_start: float = 4 / 7
    decay_start_step: int = 0
    decay_multiplier: float = 1e-3
    warmup_steps: int = 0
    patience: int = 1
    fruitless_halvings: int = 3

    def __post_init__(self) -> None:
        if not (self.lr > 0 and self.power > 0 and 0 <= self.decay_start < 1 and 0 < self.decay_multiplier <= 1):
            raise ConfigurationError(
                "a schedule needs lr > 0, power > 0, decay_start in 0..1 (1 excluded) and decay_multiplier in 0..1 "
                f"(0 excluded), not {self}"
            )
        if not 0 <= self.end_lr < self.lr:
            raise ConfigurationError(
                f"a schedule needs end_lr of at least 0 and less than lr, else the rate would grow: end_lr is "
                f"{self.end_lr}, lr {self.lr}"
            )
        for name, least in (("decay_start_step", 0), ("warmup_steps", 0), ("patience", 1), ("fruitless_halvings", 1)):
            if getattr(self, name) < least:
                raise ConfigurationError(f"a schedule needs {name} of at least {least}, not {getattr(self, name)}")


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

    def to_json(self) -> JsonDict:
        """Return plain values."""
        return {"best": self.best, "fruitless": self.fruitless, "halvings": self.halvings, "stop": self.stop}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        """Build the state that `to_json` returned."""
        return cls(data["best"], data["fruitless"], data["halvings"], data["stop"])


def learning_rate(config: ScheduleConfig, step: int, steps: int, halvings: int = 0) -> float:
    """Return the learning rate of step `step` of `steps`; `step == steps` is the end, which no update uses.

    `poly`: (lr - end_lr) (1 - step / steps)^power + end_lr. `exponential`: lr multiplier^(max(0, step - start) /
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
        case "exponential":
            start = config.decay_start_step or config.decay_start * steps
            share = max(0.0, step - start) / (steps - start) if start < steps else 0.0
            return float(config.lr * config.decay_multiplier**share)
        case "plateau":
            return config.lr * 0.5**halvings
        case "constant":
            return config.lr

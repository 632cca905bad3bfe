"""How the learning rate falls over a run."""

from dataclasses import dataclass
from typing import Literal

from segprep.datasets.errors import ConfigurationError

__all__ = ["Config", "learning_rate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Config:
    """The learning rate by step.

    Attributes:
        kind: `poly` falls from the first step and ends at 0; `exponential` is PARIS': constant, then exponential.
        lr: Learning rate of the first step.
        power: Exponent of `poly`.
        decay_start: Share of the steps after which `exponential` begins to fall; 4/7 is PARIS' 40,000 of 70,000.
        decay_multiplier: What `exponential` has multiplied the learning rate by at the last step.
    """

    kind: Literal["poly", "exponential"] = "poly"
    lr: float = 1e-3
    power: float = 0.9
    decay_start: float = 4 / 7
    decay_multiplier: float = 1e-3

    def __post_init__(self) -> None:
        if not (self.lr > 0 and self.power > 0 and 0 <= self.decay_start < 1 and 0 < self.decay_multiplier <= 1):
            raise ConfigurationError(
                "a schedule needs lr > 0, power > 0, decay_start in 0..1 (1 excluded) and decay_multiplier in 0..1 "
                f"(0 excluded), not {self}"
            )


def learning_rate(config: Config, step: int, steps: int) -> float:
    """Return the learning rate of step `step` of `steps`; `step == steps` is the end, which no update uses.

    `poly`: lr (1 - step / steps)^power. `exponential`: lr multiplier^(max(0, step - start) / (steps - start)). At step
    55,000 of PARIS' 70,000 with lr 1e-3 that is 1e-3 * 1e-3^0.5 = 3.16e-5.
    """
    if config.kind == "poly":
        return float(config.lr * (1 - step / steps) ** config.power)
    start = config.decay_start * steps
    return float(config.lr * config.decay_multiplier ** (max(0.0, step - start) / (steps - start)))

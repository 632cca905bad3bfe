"""How a run learns: entries and sections of its configuration. Without torch and NumPy, for the command line."""

import math
from dataclasses import dataclass
from typing import Final, Literal

from segprep.datasets.errors import ConfigurationError
from segprep.datasets.program.tables import check_accepted, option
from segprep.datasets.program.values import Accept, above, at_least, within

__all__ = [
    "DEFAULT_EPOCHS",
    "CheckpointConfig",
    "ClassWeights",
    "LossConfig",
    "OptimizerConfig",
    "RunEntries",
    "ScheduleConfig",
    "rate_of_group",
]

ClassWeights = Literal["none", "median_frequency", "enet", "inverse"]

DEFAULT_EPOCHS: Final = 60.0
_LENGTH = above(0, "a whole number")
_BELOW_ONE = within(0, 1, but=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunEntries:
    """What stands outside of the tables: what is learned from, and for how long."""

    shards: tuple[str, ...] = option((), help="Folders of stores, one per data set.", unsaid="that of the workspace")
    seed: int = option(
        0,
        flag="--seed",
        accept=Accept("a whole number from 0 to 2^63 - 1", lambda seed: 0 <= seed < 2**63),
        help="Of weights, order and augmentation.",
    )
    epochs: float | None = option(
        None,
        flag="--epochs",
        accept=above(0),
        help="Length of the run in passes over the data.",
        unsaid=f"{DEFAULT_EPOCHS:g}",
    )
    steps: int | None = option(
        None, flag="--steps", accept=_LENGTH, help="Length of the run in steps, instead of epochs."
    )
    val_every: int | None = option(
        None,
        flag="--val-every",
        accept=_LENGTH,
        help="Steps between validations, which also save.",
        unsaid="a tenth of the run",
    )
    log_to: tuple[str, ...] = option(
        (),
        flag="--log-to",
        metavar="NAME,...",
        read=lambda text: [name.strip() for name in text.split(",")],
        accept=Accept("wandb, mlflow or both", lambda names: set(names) <= {"wandb", "mlflow"}),
        help="Services that get what is logged, too: wandb, mlflow or both. It changes nothing of the run.",
        values=lambda: ("wandb", "mlflow"),
    )

    def __post_init__(self) -> None:
        check_accepted(self)
        if self.epochs is not None and self.steps is not None:
            raise ConfigurationError("give epochs or steps, not both")


@dataclass(frozen=True, slots=True, kw_only=True)
class LossConfig:
    """What is minimised.

    `focal` weighs a pixel by (1 - p)^gamma, where p is the probability of its class. `dice` and `lovasz` measure how
    much of each class overlaps: of a picture the mean over the classes that are labelled in it, weighted by
    `class_weights`; of a batch the mean over the pictures with labels.
    """

    kind: Literal["cross_entropy", "bootstrapped", "focal", "dice", "lovasz"] = option(
        "cross_entropy", flag="--loss", metavar="", help="cross_entropy, bootstrapped, focal, dice or lovasz."
    )
    class_weights: ClassWeights = option(
        "none",
        flag="--class-weights",
        metavar="",
        help="none, median_frequency, enet or inverse, from the shards' counts.",
    )
    mean: Literal["valid", "all"] = option(
        "valid",
        help="valid divides by the labelled pixels, or by the sum of their class weights; all by all pixels as SMSnet, "
        "AdapNet++ and SSMA do, so that a picture with much void counts less.",
    )
    bootstrap_share: float = option(
        0.25,
        accept=within(0, 1, but=0),
        help="Share of all pixels that bootstrapped takes, those with the largest losses: 1/4 as PARIS. Labelled ones "
        "only.",
    )
    bootstrap_per_image: bool = option(
        False,
        help="Whether the share is taken of each image (FRRN) or of the images of a data set that are computed "
        "together (PARIS).",
    )
    gamma: float = option(2.0, accept=at_least(0, "a number"), help="Exponent of focal; 0 is cross-entropy.")
    cross_entropy: float = option(
        0.0,
        accept=at_least(0, "a number"),
        help="Of dice and lovasz: how many times a picture's mean cross-entropy is added; 1 is the usual sum.",
    )

    def __post_init__(self) -> None:
        check_accepted(self)
        if self.kind in ("dice", "lovasz") and self.mean == "all":
            raise ConfigurationError(f"{self.kind} is a mean over pictures, not over pixels: leave mean at 'valid'")
        if self.kind == "bootstrapped" and self.mean == "all":
            raise ConfigurationError("a bootstrapped loss is the mean over the pixels it takes: leave mean at 'valid'")


@dataclass(frozen=True, slots=True, kw_only=True)
class OptimizerConfig:
    """How the weights follow the gradients."""

    kind: Literal["adam", "adamw", "sgd"] = option("adam", flag="--optimizer", metavar="", help="adam, adamw or sgd.")
    weight_decay: float = option(
        0.0,
        accept=at_least(0, "a number"),
        help="adam adds it to the gradient, adamw takes it from the weights. Not applied to norms and biases.",
    )
    momentum: float = option(0.9, accept=_BELOW_ONE, help="Of sgd.")
    nesterov: bool = option(False, help="Of sgd.")
    beta1: float = option(
        0.9, accept=_BELOW_ONE, help="Of adam and adamw: how long the mean of the gradients remembers."
    )
    beta2: float = option(0.999, accept=_BELOW_ONE, help="Likewise, of their squares.")
    eps: float = option(1e-8, accept=above(0), help="Of adam and adamw: added to the root of the squares.")
    clip_norm: float = option(
        0.0, accept=at_least(0, "a number"), help="Longest gradient, over all parameters together; 0 for any."
    )
    groups: tuple[str, ...] = option(
        (),
        help="pattern=factor: parameters whose name matches the pattern learn with the rate times the factor. * stands "
        "for anything, dots included; the first pattern that matches decides.",
    )
    frozen: tuple[str, ...] = option((), help="Patterns of parameters that do not learn at all.")

    def __post_init__(self) -> None:
        check_accepted(self)
        if self.kind == "sgd" and self.nesterov and not self.momentum:
            raise ConfigurationError("nesterov needs momentum of more than 0")
        for group in self.groups:
            rate_of_group(group)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScheduleConfig:
    """The learning rate by step.

    `poly` and `cosine` fall from the first step and end at `end_lr`; `exponential` is PARIS': constant, then
    exponential; `plateau` is FCN8s': halved when validations no longer improve.
    """

    kind: Literal["poly", "cosine", "exponential", "plateau", "constant"] = option(
        "poly",
        flag="--schedule",
        metavar="",
        help="poly or cosine (fall to 0), exponential (PARIS), plateau (halves) or constant.",
    )
    # After the warm-up, if there is one.
    lr: float = option(1e-3, flag="--lr", accept=above(0), help="Learning rate of the first step.")
    power: float = option(0.9, accept=above(0), help="Exponent of poly.")
    end_lr: float = option(0.0, accept=at_least(0, "a number"), help="Where poly and cosine end.")
    decay_start: float = option(
        4 / 7,
        accept=within(0, 1, but=1),
        help="Share of the steps after which exponential begins to fall; 4/7 is PARIS' 40,000 of 70,000.",
        unsaid="4/7",
    )
    decay_start_step: int = option(
        0,
        accept=at_least(0),
        help="The same as a step; 0 leaves it to decay_start. From the last step on it never falls.",
    )
    decay_multiplier: float = option(
        1e-3, accept=within(0, 1, but=0), help="What exponential has multiplied the learning rate by at the last step."
    )
    warmup_steps: int = option(
        0, accept=at_least(0), help="Steps at the beginning over which the rate grows from nearly 0, with every kind."
    )
    patience: int = option(
        1, accept=at_least(1), help="Validations without a better one after which plateau halves the rate."
    )
    fruitless_halvings: int = option(
        3, accept=at_least(1), help="Of these in a row, plateau ends the run; 3 with patience 1 is FCN8s'."
    )

    def __post_init__(self) -> None:
        check_accepted(self)
        if self.end_lr >= self.lr:
            raise ConfigurationError(
                f"a schedule needs end_lr less than lr, else the rate would grow: end_lr is {self.end_lr}, lr {self.lr}"
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckpointConfig:
    """What is kept."""

    metric: str = option(
        "mean_iou",
        help="By which the best weights are chosen: mean_iou (over classes that are in labels or predicted), "
        "mean_iou_of_present (in labels), pixel_accuracy or iou/CLASS; of several data sets the mean.",
    )
    keep: int = option(0, accept=at_least(0), help="Further checkpoints that stay: the newest ones.")
    average: float = option(
        0.0,
        accept=_BELOW_ONE,
        help="Share of the old average in each new average of the weights, for example 0.999; 0 for none. Averaged "
        "weights are what is validated, evaluated and handed on.",
    )

    def __post_init__(self) -> None:
        check_accepted(self)


def rate_of_group(group: str) -> tuple[str, float]:
    """Return the pattern and the factor of one of `OptimizerConfig.groups`.

    Raises:
        ConfigurationError: If it is not written so.
    """
    pattern, _, factor = group.rpartition("=")
    try:
        value = float(factor)
    except ValueError:
        value = math.nan
    if not pattern or not 0 < value < math.inf:
        raise ConfigurationError(
            f"a group is written pattern=factor with a factor of more than 0, for example 'heads.*=10', not {group!r}"
        )
    return pattern, value

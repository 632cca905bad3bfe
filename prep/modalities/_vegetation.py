"""What `ndvi`, `evi` and `evi2` share: one step, told apart by the name of the index."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from segprep.datasets.codes import LinearCode
from segprep.datasets.errors import ConfigurationError, SizeMismatchError
from segprep.datasets.kinds import Kind
from segprep.datasets.program.tables import option
from segprep.datasets.sample import Sample
from segprep.datasets.workspace.cells import Cell, Column
from segprep.prep.modalities._member import Scene
from segprep.prep.spectral.bands import DEFAULT_BANDS, Band, parse_bands, reflectance
from segprep.prep.spectral.vegetation import INDICES, vegetation_index
from segprep.prep.step import BaseStep, Input, Origin, StepHead

__all__ = ["Arguments", "VegetationStep", "build_vegetation_step"]


@dataclass(frozen=True, slots=True)
class Arguments:
    """Options of the indices."""

    bands: str = option(
        DEFAULT_BANDS,
        metavar="BAND=COLUMN[.CHANNEL][/WHITE],...",
        help=f"where the bands are. Default: {DEFAULT_BANDS}",
        unsaid="",
    )
    bits: Literal[8, 16] = option(8, help="of the files.")


_CODES: Mapping[int, LinearCode] = {
    8: LinearCode(1 / 127, -128 / 127),
    16: LinearCode(1 / 32767, -32768 / 32767, bits=16),
}


@dataclass(frozen=True)
class VegetationStep(BaseStep):
    """The column of an index, from -1 to 1: 128 of 8 bits or 32768 of 16 is 0, and 0 is invalid.

    Attributes:
        index: One of `INDICES`, also the column's name.
        bands: Name of each band that the index needs, and where it stands.
        bits: 8 or 16 of the files.
    """

    index: str
    bands: tuple[tuple[str, Band], ...]
    bits: int = 8

    @cached_property
    def head(self) -> StepHead:
        """One step per index, from the columns of the bands, each once; the mask lies beside."""
        index = INDICES[self.index]
        about = (
            ("bands", self._bands()),
            ("formula", index.formula),
            ("smallest_denominator", f"{index.smallest_denominator:g}"),
        )
        return StepHead(
            name=self.index,
            version=1,
            inputs=tuple(Input(c, Origin.COLUMN) for c in dict.fromkeys(band.column for _, band in self.bands)),
            outputs=(Column(self.index, Kind.INDEX, _CODES[self.bits], about),),
            parameters={"bands": self._bands(), "bits": self.bits},
        )

    def __call__(self, sample: Sample) -> Mapping[str, Cell]:
        """Compute the index.

        Raises:
            SizeMismatchError: If the bands differ in size.
            CodeRangeError: If a picture does not hold its band, or no pixel has a value.
        """
        sizes = {i.name: sample.arrays[i.name].shape[:2] for i in self.inputs}
        if len(set(sizes.values())) > 1:
            found = ", ".join(f"{name} is {width}x{height}" for name, (height, width) in sizes.items())
            raise SizeMismatchError(f"the bands must be of one size, but {found}")
        bands = {name: reflectance(sample.arrays[band.column], band) for name, band in self.bands}
        image = vegetation_index(self.index, bands)
        brightest = {name: round(float(band_HW.max()), 6) for name, band_HW in bands.items()}
        return {self.index: Cell(image.values_HW, image.valid_HW, image.facts | {"brightest": brightest})}

    def _bands(self) -> str:
        return ",".join(f"{name}={band}" for name, band in self.bands)


def build_vegetation_step(index: str, arguments: Arguments, scene: Scene) -> VegetationStep:
    """Return the step of an index; a band that it does not need is left aside, as others of the same command may.

    Raises:
        ConfigurationError: If the bands make no sense, or one that it needs is not among them.
    """
    bands = parse_bands(arguments.bands)
    needed = INDICES[index].bands
    missing = [name for name in needed if name not in bands]
    if missing:
        instead = ". Without blue there are evi2 and ndvi" if missing == ["blue"] else ""
        raise ConfigurationError(
            f"{index} needs {' and '.join(missing)}, which --bands {arguments.bands!r} does not name{instead}"
        )
    for name in needed:
        _check_column(bands[name], scene)
    return VegetationStep(index, tuple((name, bands[name]) for name in needed), arguments.bits)


def _check_column(band: Band, scene: Scene) -> None:
    column = scene.columns.get(band.column)
    if column is None:
        return
    if column.kind not in (Kind.IMAGE, Kind.NIR) or column.code is None:
        raise ConfigurationError(f"--bands names pictures; {band.column} is a column of {column.kind}")
    misfit = band.misfit(has_channels=bool(column.code.channels))
    if misfit:
        raise ConfigurationError(misfit)

"""What the inputs of `train predict` are, and how their samples come to the network."""

from collections.abc import Callable, Collection
from pathlib import Path
from typing import Final

from segprep.datasets.errors import ConfigurationError, MissingInputError
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import CONFIG_NAME, load_workspace
from segprep.datasets.workspace.ledger_view import read_columns
from segprep.train.command.prediction_request import Request
from segprep.train.predict.columns import takes
from segprep.train.predict.film import FILM_OUTPUTS, Film, is_film
from segprep.train.predict.item import Item
from segprep.train.predict.model import Model
from segprep.train.predict.pictures import PictureReading, find_pictures, picture_items
from segprep.train.predict.predictor import Predictor
from segprep.train.predict.prepare import Preparation, plan_preparation
from segprep.train.predict.source_columns import file_columns
from segprep.train.predict.stored import store_items, workspace_items

__all__ = ["PredictionSources", "Say", "Task"]

_CAMERA: Final = "camera"
_NEIGHBOURS: Final = tuple(Direction)
_STORE_SUFFIX: Final = ".zarr"

Say = Callable[[str], None]
Task = tuple[list[Item] | Film, Predictor]


class PredictionSources:
    """Finds what an input is, and how its samples come to the network."""

    def __init__(self, model: Model, request: Request, say: Say) -> None:
        self._model, self._request, self._say = model, request, say
        self._takes = [column.name for column in model.columns]
        self.guessed: dict[str, None] = {}

    def task(self, named: str) -> Task:
        """Return what an input holds, and what predicts it."""
        path = Path(named).expanduser()
        if named.rstrip("/").endswith(_STORE_SUFFIX):
            return self._store(named if "://" in named else path)
        if (path / CONFIG_NAME).is_file():
            return self._workspace(path)
        if is_film(named):
            return self._film(named)
        return self._pictures(named)

    def _film(self, named: str) -> tuple[Film, Predictor]:
        request = self._request
        unfit = [output for output in request.files.save if output not in FILM_OUTPUTS]
        if unfit:
            raise ConfigurationError(
                f"{named}: {unfit[0]} of a video would fill a disk; of it can be saved {', '.join(FILM_OUTPUTS)}"
            )
        primary = self._primary()
        given = {primary, *_NEIGHBOURS, *((_CAMERA,) if request.camera is not None else ())}
        preparation = self._preparation(given, named, None)
        neighbour = next((name for name in _NEIGHBOURS if name in preparation.reads), None)
        if neighbour is not None:
            end = "first" if neighbour is Direction.PREVIOUS else "last"
            self.guessed[f"the {end} frame of a video is paired with itself, as if nothing moved"] = None
        film = Film(named, primary, neighbour, request.camera, request.max_frames)
        return film, self._predictor(preparation)

    def _primary(self) -> str:
        """Return the column that pictures and frames are."""
        usual = "image" if "image" in self._takes or self._request.prepare else self._takes[0]
        return self._request.primary or usual

    def _pictures(self, named: str) -> tuple[list[Item], Predictor]:
        request = self._request
        primary = self._primary()
        owners = {f"{name}_valid" for name in (primary, *request.folders)}
        masks = [name for name in request.folders if name in owners]
        named_columns = [primary, *(name for name in request.folders if name not in masks)]
        given = {*named_columns, *((_CAMERA,) if request.camera is not None else ())}
        if primary == "image" and not given & set(_NEIGHBOURS):
            given |= set(_NEIGHBOURS)
        preparation = self._preparation(given, named, request.unit if "depth" in named_columns else None)
        needed = {*self._takes, *preparation.reads}
        neighbour = next((name for name in _NEIGHBOURS if name in needed and name not in named_columns), None)
        if neighbour is not None:
            side, end = ("before", "first") if neighbour is Direction.PREVIOUS else ("behind", "last")
            self.guessed[
                f"the frame {side} a picture is taken to be the one {side} it in its folder, by name; the {end} one of "
                "a folder is paired with itself, as if nothing moved"
            ] = None
        used = [primary, *(name for name in named_columns if name in needed and name != primary)]
        unused = [name for name in named_columns if name not in (*needed, primary)]
        if unused:
            raise ConfigurationError(
                f"--columns {unused[0]}=...: neither the network nor what is prepared for it reads {unused[0]}"
            )
        names = [*used, *masks, *((neighbour,) if neighbour is not None else ())]
        folders = {name: folder for name, folder in request.folders.items() if name in names}
        columns = file_columns(self._model.columns, names, request.unit)
        reading = PictureReading(primary, columns, folders, neighbour, request.camera)
        items = picture_items(find_pictures(named, request.out), reading)
        return items, self._predictor(preparation)

    def _workspace(self, path: Path) -> tuple[list[Item], Predictor]:
        workspace = load_workspace(path)
        _, columns = read_columns(workspace)
        given = {column.name for column in columns}
        preparation = self._preparation(given, str(path), None)
        wanted = list(dict.fromkeys([*(n for n in self._takes if n in given), *preparation.reads]))
        items, lacking = workspace_items(workspace, wanted, self._request.splits)
        if lacking:
            self._say(f"{path}: {lacking} samples are left out, which lack one of {', '.join(wanted)}")
        if not items:
            raise MissingInputError(f"{path} has no sample with {', '.join(wanted)}: `prep status` shows what is done")
        return items, self._predictor(preparation)

    def _store(self, path: Path | str) -> tuple[list[Item], Predictor]:
        store = ShardStore.open(path)
        preparation = self._preparation({*store.columns, _CAMERA}, str(path), None)
        wanted = [n for n in (*self._takes, *preparation.reads) if n in store.columns]
        items, variants = store_items(store, list(dict.fromkeys(wanted)))
        if variants:
            self._say(f"{path}: {variants} augmented variants are left out")
        if not items:
            raise MissingInputError(f"{path} holds augmented variants only: predict another store")
        return items, self._predictor(preparation)

    def _predictor(self, preparation: Preparation) -> Predictor:
        r = self._request
        self.guessed |= dict.fromkeys(preparation.guessed)
        return Predictor(
            self._model, r.size, r.at, r.files, preparation, r.views, dataset=r.dataset, batch_size=r.batch_size
        )

    def _preparation(self, given: Collection[str], where: str, unit: str | None) -> Preparation:
        """Return how missing columns are made; without --prepare what is missing is told."""
        missing = [column for column in self._model.columns if column.name not in given]
        if not missing and not self._request.prepare:
            return Preparation()
        provenance = next(iter(self._model.state.provenance), {})
        if self._request.prepare:
            return plan_preparation(self._model.columns, given, provenance, unit)
        first = missing[0]
        helps = _could_be_made(self._model, given, provenance)
        raise ConfigurationError(
            f"{where}: the network takes column {first.name!r}, {takes(first)}, which nobody gives: give it with "
            f"--columns {first.name}=DIR{helps}"
        )


def _could_be_made(model: Model, given: Collection[str], provenance: JsonDict) -> str:
    """Return a hint at --prepare where that would help, with what it would need beside what is given."""
    for more in ((), ("depth", _CAMERA, *_NEIGHBOURS)):
        try:
            reads = plan_preparation(model.columns, {*given, *more}, provenance).reads
        except ConfigurationError:
            continue
        lacking = [name for name in reads if name not in given]
        return ", or let --prepare make it" + (f" from {', '.join(lacking)}" if lacking else "")
    return ""

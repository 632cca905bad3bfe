"""What `train predict` does, between the command line and the parts."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from segprep.datasets.atomic import write_failed
from segprep.datasets.errors import ConfigurationError, MissingInputError
from segprep.datasets.file_records import digest_of
from segprep.datasets.program.interrupt import StopRequest
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.record import Direction
from segprep.datasets.sample import JsonDict
from segprep.datasets.shards import ShardStore
from segprep.datasets.workspace import CONFIG_NAME, load_workspace
from segprep.datasets.workspace.ledger_view import read_columns
from segprep.train.command.memory import memory_explained
from segprep.train.network.config import Precision
from segprep.train.predict.columns import takes
from segprep.train.predict.film import FILM_OUTPUTS, Film, is_film, predict_film
from segprep.train.predict.item import Item
from segprep.train.predict.items import Predicted, predict_items
from segprep.train.predict.model import Model
from segprep.train.predict.network_size import NetworkSize
from segprep.train.predict.outputs import OutputFiles
from segprep.train.predict.pictures import PictureReading, find_pictures, picture_items
from segprep.train.predict.predictor import At, Predictor
from segprep.train.predict.prepare import Preparation, plan_preparation
from segprep.train.predict.record import Record
from segprep.train.predict.source_columns import file_columns
from segprep.train.predict.stored import store_items, workspace_items
from segprep.train.predict.submission import (
    BENCHMARKS,
    Benchmark,
    SubmissionName,
    check_classes,
    submission_names,
    write_archive,
)
from segprep.train.predict.views import Views, check_views

__all__ = ["Request", "predict"]

_CAMERA: Final = "camera"
_NEIGHBOURS: Final = tuple(Direction)
_STORE_SUFFIX: Final = ".zarr"
_REMEDY: Final = (
    "lower --batch-size, let the network see smaller pictures (--rescale, --size), or windows of them (--window)"
)

Say = Callable[[str], None]
Task = tuple[list[Item] | Film, Predictor]


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What the command line says.

    Attributes:
        out: Folder of the outputs.
        size: See `NetworkSize`.
        at: See `Predictor`.
        files: See `OutputFiles`.
        views: See `Predictor`.
        batch_size: See `Predictor`.
        precision: See `NetworkConfig`; None for that of the training.
        dataset: See `Predictor`.
        folders: Folder of each further column of pictures.
        primary: The column that the named pictures are; None for `image`, else the network's first.
        splits: Of a workspace; empty for all.
        unit: Of depth files, see `depth_unit`.
        camera: fx, fy, cx and cy in pixels of the pictures.
        prepare: Whether missing columns are made.
        submission: For which benchmark; `files.ids` must be what it wants.
        max_frames: Of each video, None for all.
        max_minutes: After which to stop.
        quiet: Whether to show no progress.
    """

    out: Path
    size: NetworkSize
    at: At
    files: OutputFiles
    views: Views
    batch_size: int = 1
    precision: Precision | None = None
    dataset: str | None = None
    folders: Mapping[str, Path]
    primary: str | None = None
    splits: tuple[str, ...] = ()
    unit: str | None = None
    camera: tuple[float, float, float, float] | None = None
    prepare: bool = False
    submission: SubmissionName | None = None
    max_frames: int | None = None
    max_minutes: float | None = None
    quiet: bool = False


def predict(model: Model, inputs: Sequence[str], request: Request, say: Say) -> Predicted:
    """Predict inputs into a folder.

    Args:
        model: The network.
        inputs: Pictures, patterns, folders, workspaces, stores, videos, streams.
        request: How.
        say: Gets sentences for the user.

    Raises:
        ConfigurationError: If the request makes no sense, or the network takes a column that nobody gives.
        MissingInputError: If there is nothing to predict.
        ConflictError: If the folder holds predictions that were made otherwise.
        WorkspaceLockedError: If another process writes it.
    """
    check_views(request.views, model.columns)
    if request.precision is not None:
        model.segmenter.precision = request.precision
    sources = _Sources(model, request, say)
    tasks = [sources.task(named) for named in inputs]
    if request.submission is not None:
        tasks = _submitted(tasks, BENCHMARKS[request.submission], request)
    found = [each for task, _ in tasks for each in ([task] if isinstance(task, Film) else task)]
    _refuse_twice([(each.name, each.source) for each in found])
    say(f"the network sees each picture {request.size}")
    for sentence in sources.guessed:
        say(sentence)
    try:
        request.out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise write_failed(request.out, error) from error
    whole = Predicted()
    with writer_lock(request.out), StopRequest(request.max_minutes) as stop, memory_explained(_REMEDY):
        record = Record(request.out, _made_by(model, request))
        for task, predictor in tasks:
            if stop.why is not None:
                break
            if isinstance(task, Film):
                whole.add(predict_film(task, predictor, request.out, record, stop, say, quiet=request.quiet))
            else:
                whole.add(predict_items(task, predictor, request.out, record, stop, quiet=request.quiet))
        whole.why = stop.why
        if request.submission is not None:
            whole.archive = _archived(request, request.submission, whole, [each.name for each in found], say)
    return whole


def _submitted(tasks: Sequence[Task], benchmark: Benchmark, request: Request) -> list[Task]:
    """Return the tasks with the names of the archive; refuse what a server would."""
    if request.at != "original":
        raise ConfigurationError(f"{benchmark.title} wants predictions at the size of its pictures: omit --at network")
    check_classes(benchmark, request.files.classes)
    paths = []
    for task, _ in tasks:
        for each in [task] if isinstance(task, Film) else task:
            if isinstance(each, Film) or not Path(each.source).is_file():
                raise ConfigurationError(f"{each.source}: a submission is made of the pictures of {benchmark.title}")
            paths.append(Path(each.source))
    names = submission_names(benchmark, paths)
    return [
        ([replace(each, name=names[Path(each.source)]) for each in task], predictor)
        for task, predictor in tasks
        if not isinstance(task, Film)
    ]


def _archived(
    request: Request, submission: SubmissionName, whole: Predicted, names: Sequence[str], say: Say
) -> Path | None:
    if whole.why is not None or whole.bad:
        say("the archive is not written: predictions are missing")
        return None
    archive = request.out / f"{submission}.zip"
    files = {name: request.out / request.files.names(name)["ids"] for name in names}
    write_archive(BENCHMARKS[submission], files, archive)
    return archive


def _made_by(model: Model, request: Request) -> JsonDict:
    """Return what decides the content of the outputs."""
    return {
        "network": digest_of(model.path),
        "classes_of": request.dataset,
        "size": str(request.size),
        "at": request.at,
        "ids": request.files.ids,
        "precision": model.segmenter.precision,
        "views": request.views.to_json(),
        "prepare": request.prepare,
        "depth_unit": request.unit,
        "submission": request.submission,
        "camera": None if request.camera is None else list(request.camera),
    }


def _refuse_twice(named: Sequence[tuple[str, str]]) -> None:
    known: dict[str, str] = {}
    for name, source in named:
        if name in known:
            raise ConfigurationError(
                f"{known[name]} and {source} would get the same name, {name}: predict them into folders of their own"
            )
        known[name] = source


class _Sources:
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
    """Return a hint at --prepare where that would help, with what it would need."""
    try:
        plan_preparation(model.columns, given, provenance)
    except ConfigurationError as error:
        try:
            reads = plan_preparation(model.columns, {*given, "depth", _CAMERA, *_NEIGHBOURS}, provenance).reads
        except ConfigurationError:
            return ""
        del error
        return f", or let --prepare make it from {', '.join(reads)}"
    return ", or let --prepare make it"

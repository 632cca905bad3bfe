"""What `train predict` does, between the command line and the parts."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

from segprep.datasets.atomic import write_failed
from segprep.datasets.errors import ConfigurationError
from segprep.datasets.file_records import digest_of
from segprep.datasets.program.interrupt import StopRequest
from segprep.datasets.program.writer_lock import writer_lock
from segprep.datasets.sample import JsonDict
from segprep.train.command.memory import memory_explained
from segprep.train.command.prediction_request import Request
from segprep.train.command.prediction_sources import PredictionSources, Say, Task
from segprep.train.predict.film import Film
from segprep.train.predict.items import Predicted, predict_items
from segprep.train.predict.model import Model
from segprep.train.predict.record import Record
from segprep.train.predict.submission import (
    BENCHMARKS,
    Benchmark,
    SubmissionName,
    check_classes,
    submission_names,
    write_archive,
)
from segprep.train.predict.views import check_views

__all__ = ["predict"]

_REMEDY: Final = (
    "lower --batch-size, let the network see smaller pictures (--rescale, --size), or windows of them (--window)"
)


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
    sources = PredictionSources(model, request, say)
    tasks = [sources.task(named) for named in inputs]
    if request.submission is not None:
        tasks = _submitted(tasks, BENCHMARKS[request.submission], request)
    found = [each for task, _ in tasks for each in ([task] if isinstance(task, Film) else task)]
    _refuse_twice([(each.name, each.source) for each in found])
    say(f"the network sees each picture {request.size}")
    for sentence in sources.guessed:
        say(sentence)
    if any(isinstance(task, Film) for task, _ in tasks):
        from segprep.train.predict.film_frames import predict_film  # needs an extra
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

"""Predicting a video or a stream: frame after frame, each output a video with the same time stamps."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path

from segprep.datasets.errors import ConfigurationError, ConflictError, MachineError, SegprepError
from segprep.datasets.file_records import digest_of
from segprep.datasets.imageio.video import Frame, VideoReader
from segprep.datasets.imageio.video_names import is_live
from segprep.datasets.imageio.video_out import VideoWriter
from segprep.datasets.kinds import Kind
from segprep.datasets.program.interrupt import StopRequest
from segprep.datasets.program.progress import Progress
from segprep.datasets.record import Direction
from segprep.datasets.sample import Array, JsonDict, Sample, SampleKey
from segprep.train.predict.enlarging import Answer
from segprep.train.predict.film import FILM_OUTPUTS, Film
from segprep.train.predict.item import LoadedItem
from segprep.train.predict.items import Bad, Predicted
from segprep.train.predict.outputs import Output, ids_picture, overlay
from segprep.train.predict.pictures import camera_of
from segprep.train.predict.predictor import Predictor, Ready, in_batches
from segprep.train.predict.record import Record
from segprep.train.reading.reader import prefetched

__all__ = ["predict_film"]


def predict_film(
    film: Film,
    predictor: Predictor,
    folder: Path,
    record: Record,
    stop: StopRequest,
    say: Callable[[str], None],
    *,
    quiet: bool = False,
) -> Predicted:
    """Predict a video into `<name>.<output>.mp4` (`.ids.mkv`) of a folder whose writer's lock the caller holds.

    Asked to stop, it finishes the frames in hand: what is written plays. A file that was predicted to its end, and has
    not changed, is not predicted again.

    Raises:
        ConflictError: If a stream of this name was written before, which cannot be had again.
        MachineError, WriteFailedError: If the machine is to blame.
    """
    live = is_live(film.source)
    files = {output: f"{film.name}.{output}{FILM_OUTPUTS[output]}" for output in predictor.files.save}
    if live and any((folder / name).exists() for name in files.values()):
        raise ConflictError(f"{folder} holds what {film.source} gave before: name another --out")
    inputs = {} if live else _inputs(film.source)
    if not live and _is_kept(record.done(film.name), inputs, files.values(), film.most_frames):
        return Predicted(kept=1)
    started = time.monotonic()
    outcome = Predicted()
    try:
        with VideoReader(film.source) as reader:
            outcome.done = _written(film, reader, predictor, folder, files, stop, quiet, outcome)
            for sentence in _doubts(film, reader, outcome.done, stop):
                say(sentence)
    except MachineError:
        raise
    except SegprepError as error:
        outcome.bad.append(Bad(film.source, str(error)))
        record.add({"name": film.name, "source": film.source, "error": str(error)})
    else:
        sizes = {name: (folder / name).stat().st_size for name in files.values() if (folder / name).exists()}
        entry: JsonDict = {"name": film.name, "source": film.source, "inputs": inputs, "files": sizes}
        entry |= {"frames": outcome.done, "whole": stop.why is None, "most_frames": film.most_frames}
        record.add(entry)
    outcome.seconds = time.monotonic() - started
    return outcome


def _is_kept(earlier: JsonDict | None, inputs: JsonDict, files: Collection[str], most_frames: int | None) -> bool:
    if earlier is None or not earlier.get("whole") or not set(files) <= earlier["files"].keys():
        return False
    return bool(earlier["inputs"] == inputs and earlier.get("most_frames") == most_frames)


def _inputs(source: str) -> JsonDict:
    try:
        return {"path": source, "sha256": digest_of(Path(source))}
    except OSError:
        return {"path": source}  # its reader says what is wrong


def _written(
    film: Film,
    reader: VideoReader,
    predictor: Predictor,
    folder: Path,
    files: Mapping[Output, str],
    stop: StopRequest,
    quiet: bool,
    outcome: Predicted,
) -> int:
    """Write the outputs of all frames, and return how many there were."""

    def load(pair: tuple[Frame, Frame]) -> tuple[Frame, Ready]:
        return pair[0], predictor.ready(_loaded(film, *pair))

    def wanted() -> Iterator[tuple[Frame, Frame]]:
        frames = reader.frames() if film.most_frames is None else islice(reader.frames(), film.most_frames)
        for pair in _paired(frames, film.neighbour):
            if stop.why is not None:
                return
            yield pair

    def answered() -> Iterator[tuple[Frame, Ready, Answer]]:
        for batch in in_batches(prefetched(load, wanted()), predictor.batch_size):
            ready = [each for _, each in batch if each is not None]
            yield from zip((frame for frame, _ in batch), ready, predictor.answers(ready), strict=True)

    total = reader.stated if film.most_frames is None else min(film.most_frames, reader.stated or film.most_frames)
    first: int | None = None
    with ExitStack() as closing, Progress("frame", quiet=quiet) as progress:
        writers = {
            output: closing.enter_context(VideoWriter(folder / name, reader.time_base, reader.rate))
            for output, name in files.items()
        }
        progress.start(total)

        def write(each: tuple[Frame, Ready, Answer]) -> tuple[Frame, Ready]:
            nonlocal first
            frame, ready, answer = each
            if first is None:
                first = frame.pts if is_live(film.source) else 0  # streams begin long before anybody looks
            for output, writer in writers.items():
                writer.write(_picture(output, answer, ready, predictor), frame.pts - first)
            return frame, ready

        count = 0
        for _, ready in prefetched(write, answered(), threads=1):  # in the order of the frames
            count += 1
            for name, pixels in ready.clipped.items():
                outcome.clipped[name] = outcome.clipped.get(name, 0) + pixels
            progress.advance()
        if not count and stop.why is None:
            raise ConfigurationError(f"{film.source} gave no frame that can be read")
    return count


def _picture(output: Output, answer: Answer, ready: Ready, predictor: Predictor) -> Array:
    classes = predictor.files.classes
    if output == "ids":
        return ids_picture(answer.ids_HW, classes, predictor.files.ids)
    if output == "overlay" and ready.rgb_HWC is not None:
        return overlay(ready.rgb_HWC, answer.ids_HW, classes)
    return classes.colored(answer.ids_HW)


def _loaded(film: Film, frame: Frame, other: Frame) -> LoadedItem:
    arrays = {film.primary: frame.rgb_HWC}
    if film.neighbour is not None:
        arrays[film.neighbour] = other.rgb_HWC
    height, width = frame.rgb_HWC.shape[:2]
    camera = None if film.camera is None else camera_of(film.camera, width, height)
    kinds = dict.fromkeys(arrays, Kind.IMAGE)
    return LoadedItem(Sample(SampleKey(f"{frame.index}"), arrays, kinds, {}, camera), (width, height), {})


def _paired(frames: Iterator[Frame], neighbour: str | None) -> Iterator[tuple[Frame, Frame]]:
    """Yield each frame with the one before or behind it; at the end of the film that is itself."""
    last: Frame | None = None
    for frame in frames:
        if neighbour == Direction.NEXT:
            if last is not None:
                yield last, frame
        else:
            yield frame, last or frame
        last = frame
    if neighbour == Direction.NEXT and last is not None:
        yield last, last


def _doubts(film: Film, reader: VideoReader, frames: int, stop: StopRequest) -> Iterator[str]:
    if reader.damaged:
        yield f"{film.source}: {reader.damaged} packets or frames are damaged; what could not be decoded is left out"
    if reader.untimed:
        yield f"{film.source}: {reader.untimed} frames have no time stamp of their own; they follow the one before"
    if reader.broke_off is not None:
        yield f"{film.source} broke off: {reader.broke_off}"
    cut = film.most_frames is not None or stop.why is not None
    if reader.stated is not None and frames != reader.stated and not cut:
        yield f"{film.source} says that it has {reader.stated} frames, {frames} could be read"

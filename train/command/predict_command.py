"""`train predict`: options in, library calls, results printed. What it needs is imported when it runs."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from segprep.datasets.errors import ConfigurationError, ExitCode, TooManyBadSamplesError
from segprep.datasets.program.command_line import Directory, JsonOutput
from segprep.datasets.program.parameters import offer
from segprep.datasets.program.values import parse_share, parse_size
from segprep.train.command.completion import runs
from segprep.train.command.device import DeviceName
from segprep.train.command.network_options import CheckpointName
from segprep.train.command.said import say
from segprep.train.command.view_options import Flip, Scales, Stride, Window, views_of

if TYPE_CHECKING:
    from segprep.train.predict.items import Predicted

__all__ = ["predict_command"]

_HERE = Path()
_READING = "What is read"
_SEEING = "How the network sees it"
_WRITING = "What is written"


def predict_command(
    named: Annotated[
        str,
        typer.Argument(
            metavar="RUN|FILE",
            help="A run's name or folder, or weights.safetensors.",
            autocompletion=offer(runs),
            show_default=False,
        ),
    ],
    inputs: Annotated[
        list[str],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, patterns ('drive/*.png'), folders, a workspace, a store (val.zarr), a video, a stream "
            "(http://..., rtsp://...), a camera (camera:0).",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(metavar="DIR", help="A folder of its own for the predictions.")],
    workspace: Directory = _HERE,
    checkpoint: CheckpointName = None,
    dataset: Annotated[str | None, typer.Option(help="Whose classes, of a run that learned several data sets.")] = None,
    columns: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=DIR,...",
            help="Folders of further columns, whose files are called as the pictures: depth=DIR; depth_valid=DIR "
            "is its mask.",
            show_default=False,
            rich_help_panel=_READING,
        ),
    ] = None,
    pictures_are: Annotated[
        str | None,
        typer.Option(
            "--pictures-are",
            metavar="COLUMN",
            help="What INPUT shows. Default: image, or the first column of a network without it.",
            show_default=False,
            rich_help_panel=_READING,
        ),
    ] = None,
    depth_unit: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Of depth files: m, mm, cm, 1/5000, ... Default: as in the workspace of the training.",
            show_default=False,
            rich_help_panel=_READING,
        ),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="FX,FY,CX,CY",
            help="The camera, in pixels of the pictures, for what --prepare makes with it.",
            show_default=False,
            rich_help_panel=_READING,
        ),
    ] = None,
    prepare: Annotated[
        bool,
        typer.Option(
            "--prepare",
            help="Make missing columns as the preparation did: jet, HHA, ... from depth, motion from two frames.",
            rich_help_panel=_READING,
        ),
    ] = False,
    split: Annotated[
        list[str] | None,
        typer.Option(help="Only this split of a workspace.", show_default=False, rich_help_panel=_READING),
    ] = None,
    rescale: Annotated[
        float | None,
        typer.Option(
            metavar="FACTOR",
            help="The network sees pictures at FACTOR times their size. Default: in their own proportions with as "
            "many pixels as in training.",
            show_default=False,
            rich_help_panel=_SEEING,
        ),
    ] = None,
    size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH",
            help="The network sees all pictures at this size, whatever their proportions.",
            show_default=False,
            rich_help_panel=_SEEING,
        ),
    ] = None,
    window: Window = None,
    stride: Stride = None,
    scales: Scales = "1",
    flip: Flip = False,
    batch_size: Annotated[
        int, typer.Option(min=1, help="Pictures or windows that the network sees at once.", rich_help_panel=_SEEING)
    ] = 1,
    precision: Annotated[
        Literal["fp32", "bf16", "fp16"] | None,
        typer.Option(help="Default: that of the training.", show_default=False, rich_help_panel=_SEEING),
    ] = None,
    device: DeviceName = None,
    save: Annotated[
        str,
        typer.Option(
            metavar="A,B,...",
            help="ids (PNG with a palette), colors, overlay, scores (float16 .npz), entropy (float16 .npz, nats).",
            rich_help_panel=_WRITING,
        ),
    ] = "ids,colors",
    ids: Annotated[
        Literal["train", "raw"],
        typer.Option(help="0..C-1 in the order of the classes, or the ids of the dataset.", rich_help_panel=_WRITING),
    ] = "train",
    at: Annotated[
        Literal["original", "network"],
        typer.Option(help="Size of what is written: the picture's, or the network's.", rich_help_panel=_WRITING),
    ] = "original",
    submission: Annotated[
        Literal["cityscapes", "kitti", "kitti360", "bdd", "mapillary", "scannet"] | None,
        typer.Option(
            help="Names, ids and an archive as the server of this benchmark wants them; decides --ids.",
            show_default=False,
            rich_help_panel=_WRITING,
        ),
    ] = None,
    max_frames: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Of each video or stream.", show_default=False, rich_help_panel=_READING),
    ] = None,
    max_minutes: Annotated[
        float | None, typer.Option(min=0, help="Stop after so much time.", rich_help_panel=_READING)
    ] = None,
    max_bad: Annotated[
        str,
        typer.Option(
            metavar="SHARE",
            help="Exit with 4 if more of the pictures cannot be predicted.",
            rich_help_panel=_WRITING,
        ),
    ] = "1%",
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="No progress.")] = False,
    as_json: JsonOutput = False,
) -> None:
    """Predict with a trained network: pictures into DIR/ids/, DIR/colors/, ..., a video into DIR/<name>.ids.mkv, ...

    The same command again goes on where it was stopped, and predicts what is new or has changed.
    """
    from segprep.train.command.place import runs_of
    from segprep.train.command.prediction import predict
    from segprep.train.command.prediction_request import Request
    from segprep.train.network.device import chosen_device
    from segprep.train.predict.model import load
    from segprep.train.predict.network_size import NetworkSize
    from segprep.train.predict.outputs import OutputFiles, parse_outputs
    from segprep.train.predict.submission import BENCHMARKS

    most_bad = parse_share(max_bad)
    if submission is not None:
        save, ids = f"ids,{save}", BENCHMARKS[submission].ids
    views, outputs = views_of(window, stride, scales, flip), parse_outputs(save)
    model = load(named, checkpoint, runs=runs_of(workspace), device=chosen_device(device), say=say)
    request = Request(
        out=out,
        size=NetworkSize(model.size, rescale, _pair(size)),
        at=at,
        files=OutputFiles(outputs, ids, model.classes_of(dataset)),
        views=views,
        batch_size=batch_size,
        precision=precision,
        dataset=dataset,
        folders=_folders(columns or ()),
        primary=pictures_are,
        splits=tuple(split or ()),
        unit=depth_unit,
        camera=_camera(camera),
        prepare=prepare,
        submission=submission,
        max_frames=max_frames,
        max_minutes=max_minutes,
        quiet=quiet,
    )
    _report(predict(model, inputs, request, say), out, most_bad, as_json)


def _report(predicted: "Predicted", out: Path, most_bad: float, as_json: bool) -> None:
    for column, pixels in predicted.clipped.items():
        if pixels:
            say(f"{column}: {pixels} pixels were clipped to the range of its code")
    rate = predicted.done / max(predicted.seconds, 1e-9)
    if as_json:
        about = {"out": str(out), "done": predicted.done, "kept": predicted.kept, "seconds": predicted.seconds}
        bad = [{"source": each.source, "reason": each.reason} for each in predicted.bad]
        archive = None if predicted.archive is None else str(predicted.archive)
        typer.echo(json.dumps({**about, "bad": bad, "stopped": predicted.why, "archive": archive}))
    else:
        kept = f", {predicted.kept} were there" if predicted.kept else ""
        bad_text = f", {len(predicted.bad)} could not be" if predicted.bad else ""
        typer.echo(f"{out}: {predicted.done} predicted{kept}{bad_text}; {rate:.1f} images/s")
        if predicted.archive is not None:
            typer.echo(f"to be sent: {predicted.archive}")
    if predicted.why is not None:
        reason = "interrupted" if predicted.why == "interrupted" else "stopped after --max-minutes"
        say(f"{reason}; what is written is whole. The same command goes on; of a video it begins anew")
    if predicted.why == "interrupted":
        raise typer.Exit(ExitCode.INTERRUPTED)
    if len(predicted.bad) > most_bad * predicted.settled:
        raise TooManyBadSamplesError(
            f"{len(predicted.bad)} of {predicted.settled} could not be predicted, more than --max-bad {most_bad:.3g} "
            f"allows; the first: {predicted.bad[0]}"
        )


def _folders(texts: "list[str] | tuple[()]") -> dict[str, Path]:
    found: dict[str, Path] = {}
    for part in (part for text in texts for part in text.split(",") if part.strip()):
        name, equals, folder = part.strip().partition("=")
        if not (name and equals and folder):
            raise ConfigurationError(f"--columns takes NAME=DIR, for example depth=drive/depth, not {part!r}")
        if name in found:
            raise ConfigurationError(f"--columns names {name} twice")
        found[name] = Path(folder).expanduser()
    return found


def _camera(text: str | None) -> tuple[float, float, float, float] | None:
    if text is None:
        return None
    try:
        fx, fy, cx, cy = (float(part) for part in text.split(","))
    except ValueError as error:
        raise ConfigurationError(f"--camera takes fx, fy, cx and cy with commas, not {text!r}") from error
    if not (fx > 0 and fy > 0):
        raise ConfigurationError(f"the focal lengths of --camera must be above 0, not {fx:g} and {fy:g}")
    return fx, fy, cx, cy


def _pair(text: str | None) -> tuple[int, int] | None:
    size = parse_size(text)
    return None if size is None else (size[0], size[1])

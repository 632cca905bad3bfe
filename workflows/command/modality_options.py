"""The options of `prep modality`, for a workspace and for single files."""

from pathlib import Path
from typing import Annotated, Any

import typer

from segprep.datasets.errors import ConfigurationError
from segprep.workflows.command.options import parse_names
from segprep.workflows.command.stage_command import Named

__all__ = ["modality", "named_modalities"]

_FILES = "On single files, without a workspace"


def modality(
    names: Annotated[
        list[str],
        typer.Argument(
            metavar="NAME...", help="jet, hha, normals, depth_filled, evi, evi2, ndvi; a wrong one lists all."
        ),
    ],
    depth: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Column of depth to work on. Default: depth; with --fill depth_filled.",
            show_default=False,
        ),
    ] = None,
    fill: Annotated[
        str | None,
        typer.Option(
            metavar="ip-basic|nearest|guided",
            help="Also write column depth_filled: holes completed by IP-Basic, by the nearest measured pixel, or along "
            "the image's edges; and depth_measured, which tells the two apart.",
            show_default=False,
        ),
    ] = None,
    near: Annotated[
        float | None,
        typer.Option(metavar="METRES", help="jet: lower end of the colours. Default: per dataset.", show_default=False),
    ] = None,
    far: Annotated[
        float | None,
        typer.Option(metavar="METRES", help="jet: upper end of the colours. Default: per dataset.", show_default=False),
    ] = None,
    percentiles: Annotated[
        str | None,
        typer.Option(
            metavar="LOW,HIGH",
            help="jet: range per image between these percentiles, instead of a fixed one.",
            show_default=False,
        ),
    ] = None,
    quantity: Annotated[
        str | None,
        typer.Option(metavar="depth|disparity", help="jet: what the colours show. Default: depth.", show_default=False),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            metavar="indoor|outdoor",
            help="hha: the reference's constants, or those that spread streets over 0..255. Default: per dataset.",
            show_default=False,
        ),
    ] = None,
    gravity: Annotated[
        str | None,
        typer.Option(
            metavar="estimate|mount|X,Y,Z",
            help="hha: where down is: estimated from floor and walls, from the camera's mount, or near a direction in "
            "the camera's axes (right, down, forward). Default: estimate.",
            show_default=False,
        ),
    ] = None,
    floor_percentile: Annotated[
        float | None,
        typer.Option(
            metavar="PERCENT",
            help="hha: how many of the points may lie below the floor. Default: 0 indoor, 1 outdoor.",
            show_default=False,
        ),
    ] = None,
    radius: Annotated[
        int | None,
        typer.Option(
            metavar="PIXELS", help="normals: of the window that a plane is fitted to. Default: 3.", show_default=False
        ),
    ] = None,
    bands: Annotated[
        str | None,
        typer.Option(
            metavar="BAND=COLUMN[.CHANNEL][/WHITE],...",
            help="evi, evi2, ndvi: where the bands are. Default: nir=nir,red=image.red,blue=image.blue",
            show_default=False,
        ),
    ] = None,
    bits: Annotated[
        int | None,
        typer.Option(metavar="8|16", help="evi, evi2, ndvi: of the files. Default: 8.", show_default=False),
    ] = None,
    depth_file: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="A depth file; --out names the result.", show_default=False, rich_help_panel=_FILES
        ),
    ] = None,
    depth_unit: Annotated[
        str | None,
        typer.Option(
            metavar="UNIT",
            help="What its numbers are: m, mm, cm, 1/N (of a metre), tum, kitti, sun, kinect, cityscapes, "
            "kitti-disparity.",
            show_default=False,
            rich_help_panel=_FILES,
        ),
    ] = None,
    image_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The image.", show_default=False, rich_help_panel=_FILES),
    ] = None,
    nir_file: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="The near infrared.", show_default=False, rich_help_panel=_FILES),
    ] = None,
    camera: Annotated[
        str | None,
        typer.Option(
            metavar="FX,FY,CX,CY[,BASELINE]",
            help="Intrinsics in pixels whose centres lie at integers, the first at 0,0; the baseline in metres for "
            "disparity.",
            show_default=False,
            rich_help_panel=_FILES,
        ),
    ] = None,
) -> dict[str, Any]:
    """Make further columns from depth, image and near infrared; or, with --depth-file and --out, from single files."""
    return {
        "names": names,
        "options": {
            "depth": depth,
            "fill": fill,
            "near": near,
            "far": far,
            "percentiles": None if percentiles is None else _numbers(percentiles, (2,), "--percentiles LOW,HIGH"),
            "quantity": quantity,
            "preset": preset,
            "gravity": None if gravity is None else _gravity(gravity),
            "floor_percentile": floor_percentile,
            "radius": radius,
            "bands": bands,
            "bits": bits,
        },
        "files": {"depth": depth_file, "image": image_file, "nir": nir_file},
        "depth_unit": depth_unit,
        "camera": None if camera is None else _numbers(camera, (4, 5), "--camera FX,FY,CX,CY[,BASELINE]"),
    }


def named_modalities(given: dict[str, Any], out: Path | None) -> Named:
    """Return the stages that were named; files are worked on here, and none are left.

    Raises:
        ConfigurationError: If options do not go together.
    """
    from segprep.workflows.stages.modality import modality_command, share_options

    shared = share_options(given["names"], given["options"])
    files = {name: path for name, path in given["files"].items() if path is not None}
    if files:
        from segprep.workflows.stages.modality_files import FileCall, run_on_files

        for path in run_on_files(FileCall(shared, files, given["depth_unit"], given["camera"], out)):
            typer.echo(path)
        return Named("modality", {})
    if given["depth_unit"] is not None or given["camera"] is not None:
        raise ConfigurationError(
            "--depth-unit and --camera go with --depth-file; a workspace's depth is in metres, and what its files hold "
            "is said with `prep init --depth-unit`"
        )
    stages = {modality_command(name): options for name, options in shared.items()}
    return Named(f"modality {' '.join(given['names'])}", stages)


def _gravity(text: str) -> list[float] | str:
    return text if text in ("estimate", "mount") else _numbers(text, (3,), "--gravity estimate, mount or X,Y,Z")


def _numbers(text: str, counts: tuple[int, ...], usage: str) -> list[float]:
    parts = parse_names(text) or []
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in counts:
        raise ConfigurationError(f"{usage}: {text!r} is something else")
    return numbers

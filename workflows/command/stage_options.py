"""The options of the commands that make columns; each function returns argument name to value, None for unsaid ones."""

from typing import Annotated, Any

import typer

from segprep.datasets.program.values import parse_size
from segprep.workflows.command.options import parse_names

__all__ = ["flow", "motion_labels", "resize"]


def resize(
    factor: Annotated[
        int | None, typer.Option(min=1, metavar="N", help="Divide width and height by N.", show_default=False)
    ] = None,
    size: Annotated[
        str | None, typer.Option(metavar="WxH", help="Make everything this size instead.", show_default=False)
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(
            metavar="vote|nearest|priority|paris",
            help="Label ids: vote takes the majority of the covered area, nearest the pixel at the exact centre, "
            "priority lets listed classes win from a share on, paris is PARIS's soft resize. Default: vote.",
            show_default=False,
        ),
    ] = None,
    threshold: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE",
            help="A winner with less of the pixel gives way to void. Default: 0 with vote, 0.75 with paris.",
            show_default=False,
        ),
    ] = None,
    priority: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS,...",
            help="With --labels priority: thin classes that win, the strongest first.",
            show_default=False,
        ),
    ] = None,
    share: Annotated[
        float | None,
        typer.Option(
            metavar="SHARE", help="From which share of the pixel they win. Default: 0.25.", show_default=False
        ),
    ] = None,
    void_id: Annotated[
        int | None,
        typer.Option(
            metavar="ID",
            help="With --labels paris or --label-ids raw: the raw id of void. Default: the first ignored one.",
            show_default=False,
        ),
    ] = None,
    label_ids: Annotated[
        str | None,
        typer.Option(
            metavar="train|raw",
            help="Ids in the label files: train ids (0..C-1, 255 = ignore), or the dataset's own; shards always hold "
            "train ids. Default: train.",
            show_default=False,
        ),
    ] = None,
    format: Annotated[  # noqa: A002
        str | None,
        typer.Option(
            metavar="png|jpg",
            help="Files of images and near infrared: lossless, or JPEG of quality 95. Default: png.",
            show_default=False,
        ),
    ] = None,
) -> dict[str, Any]:
    """Resize images by area, labels by vote (as train ids), and depth, camera and neighbours with them."""
    return {
        "factor": factor,
        "size": parse_size(size),
        "labels": labels,
        "threshold": threshold,
        "priority": parse_names(priority),
        "share": share,
        "void_id": void_id,
        "label_ids": label_ids,
        "format": format,
    }


def flow(
    scale: Annotated[
        float | None,
        typer.Option(
            metavar="S",
            help="Grey levels per pixel of motion in SMSnet's image: u*S+128, v*S+128, |uv|*S*255/128. Default: 6.4.",
            show_default=False,
        ),
    ] = None,
    estimator: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Optical flow estimator: dis, farneback, or precomputed (see --pattern). Default: dis.",
            show_default=False,
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Of dis: ultrafast, fast, medium (default), fine.", show_default=False),
    ] = None,
    check: Annotated[
        bool | None,
        typer.Option(
            "--check/--no-check",
            help="Estimate the way back, too, and mark pixels whose ways do not meet as invalid. Default: check.",
            show_default=False,
        ),
    ] = None,
    at: Annotated[
        str | None,
        typer.Option(
            metavar="workspace|source",
            help="On the workspace's images (default), or on the dataset's, with vectors rescaled.",
            show_default=False,
        ),
    ] = None,
    pattern: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Files of precomputed flow, e.g. 'flow/{split}/{stem}.flo'; fields: key, stem, split, sequence, "
            "frame. Relative to the dataset's root.",
            show_default=False,
        ),
    ] = None,
    flow_format: Annotated[
        str | None,
        typer.Option(
            metavar="FORMAT",
            help="Of these files: auto (by suffix; .png is KITTI's), flo, kitti, vkitti, npy, pfm. Default: auto.",
            show_default=False,
        ),
    ] = None,
    flow_direction: Annotated[
        str | None,
        typer.Option(metavar="previous|next", help="Where their vectors point.", show_default=False),
    ] = None,
    flow_size: Annotated[
        str | None,
        typer.Option(
            metavar="WxH", help="Their size, if it is neither the dataset's nor the workspace's.", show_default=False
        ),
    ] = None,
    ego: Annotated[
        str | None,
        typer.Option(
            metavar="pose|refine|odometry|homography|none",
            help="How the camera's own motion is known, whose flow is subtracted: as the dataset says; that, corrected "
            "by the flow; from flow and depth; from flow alone; not at all. Default: pose where the dataset has one, "
            "else none.",
            show_default=False,
        ),
    ] = None,
    raw_image: Annotated[
        bool | None,
        typer.Option(
            "--raw-image/--no-raw-image",
            help="Also write column raw_flow: the motion image without subtraction.",
            show_default=False,
        ),
    ] = None,
) -> dict[str, Any]:
    """Compute optical flow to the neighbouring frame, the part that the camera makes, and SMSnet's motion image."""
    return {
        "scale": scale,
        "estimator": estimator,
        "preset": preset,
        "check": check,
        "at": at,
        "pattern": pattern,
        "flow_format": flow_format,
        "flow_direction": flow_direction,
        "flow_size": parse_size(flow_size),
        "ego": ego,
        "raw_image": raw_image,
    }


def motion_labels(
    movable: Annotated[
        str | None,
        typer.Option(
            metavar="CLASS,...",
            help="Classes that can move. Default: people and vehicles, by their usual names.",
            show_default=False,
        ),
    ] = None,
    max_range: Annotated[
        float | None,
        typer.Option(
            metavar="METRES",
            help="What is farther is not labelled; SMSnet's data have 20, 40 and 60. Default: no limit.",
            show_default=False,
        ),
    ] = None,
    annotations: Annotated[
        str | None,
        typer.Option(
            metavar="PATTERN",
            help="Take given annotations instead: an id image per frame, e.g. 'motion/{split}/{stem}.png'.",
            show_default=False,
        ),
    ] = None,
    annotation_map: Annotated[
        str | None,
        typer.Option(
            metavar="MEANING=ID,...",
            help="What their ids mean, e.g. ignore=0,static=1,moving=2.",
            show_default=False,
        ),
    ] = None,
) -> dict[str, Any]:
    """Label what can move as static (0) or moving (1), the rest as 255, from flow and depth or from annotations."""
    return {
        "movable": parse_names(movable),
        "max_range": max_range,
        "annotations": annotations,
        "annotation_map": annotation_map,
    }

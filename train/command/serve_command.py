"""`train serve`: options in, library calls, a server until it is asked to stop. Imports what it needs when it runs."""

from pathlib import Path
from typing import Annotated

import typer

from segprep.datasets.errors import ExitCode
from segprep.datasets.program.command_line import Directory
from segprep.train.command.network_options import CheckpointName, NamedNetwork
from segprep.train.command.said import say

__all__ = ["serve_command"]

_HERE = Path()


def serve_command(
    named: NamedNetwork = None,
    workspace: Directory = _HERE,
    checkpoint: CheckpointName = None,
    host: Annotated[str, typer.Option(metavar="ADDRESS", help="Where to listen.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(metavar="N", help="Where to listen; 0 takes a free one.", min=0, max=65535)
    ] = 8000,
    name: Annotated[
        str | None, typer.Option(help="What clients call the model. Default: that of the run or file.")
    ] = None,
    batch_size: Annotated[
        int, typer.Option(metavar="N", help="Most pictures that the network computes at once.", min=1)
    ] = 8,
    batch_ms: Annotated[
        float, typer.Option(metavar="MS", help="How long the first picture of a batch waits for others.", min=0)
    ] = 5.0,
    queue: Annotated[
        int, typer.Option(metavar="N", help="Most requests in hand at once; more are answered 429.", min=1)
    ] = 32,
    max_megabytes: Annotated[float, typer.Option(metavar="MB", help="Largest request.")] = 32.0,
    max_megapixels: Annotated[float, typer.Option(metavar="MP", help="Largest picture.")] = 40.0,
    threads: Annotated[
        int | None,
        typer.Option(metavar="N", help="Processor threads of the network. Default: as many as cores.", min=1),
    ] = None,
    ros: Annotated[
        bool, typer.Option("--ros", help="A node of ROS 2 in place of a server: ~/image_raw in, ~/segmentation out.")
    ] = False,
) -> None:
    """Serve a trained network: POST a picture to /v1/segment, or open the page at / in a browser.

    Ctrl-C and SIGTERM answer what runs and end it. Nobody is asked who they are: keep it on this machine, or behind a
    server that asks.
    """
    import signal

    from segprep.train.command.place import runs_of
    from segprep.train.predict.model import load
    from segprep.train.runs.folder import find_run
    from segprep.train.serve.limits import Limits
    from segprep.train.serve.server import bound, is_loopback, serve
    from segprep.train.serve.service import Service

    limits = Limits(
        max_bytes=round(max_megabytes * 2**20),
        max_pixels=round(max_megapixels * 1e6),
        queue=queue,
        batch_size=batch_size,
        batch_s=batch_ms / 1e3,
    )
    folder = runs_of(workspace)
    chosen = named or str(find_run(folder, None).root)
    if ros:
        from segprep.train.serve.ros_node import spin

        spin(load(chosen, checkpoint, runs=folder, say=say))
        return
    with bound(host, port) as place:
        model = load(chosen, checkpoint, runs=folder, say=say)
        if not is_loopback(place):
            say(
                f"{host} can be reached from other machines, and nobody is asked who they are: anybody there can use it"
            )
        path = Path(chosen)
        service = Service(model, name or (path.stem if path.is_file() else path.resolve().name), limits, threads)
        service.warm_up()
        ended_by = serve(service, place, say)
    if ended_by is signal.SIGINT:
        raise typer.Exit(ExitCode.INTERRUPTED)

"""The `train` command. Thin: its commands read options, call the library and print.

Whatever needs torch or Zarr is imported when a command runs, so that `train --help` is quick.
"""

from segprep.datasets.program.command_line import new_app, run_app
from segprep.train.command.compare_command import compare_command
from segprep.train.command.eval_command import eval_command
from segprep.train.command.export_command import export_command
from segprep.train.command.info_command import info_command
from segprep.train.command.list_command import list_command
from segprep.train.command.predict_command import predict_command
from segprep.train.command.run_command import run_command
from segprep.train.command.serve_command import serve_command
from segprep.train.command.time_command import time_command

__all__ = ["app", "main"]

app = new_app(
    "train",
    "Train segmentation networks on the shards of a workspace, evaluate them and use them.",
    "0 done, 1 bug, 2 usage, 3 bad input, 4 too many bad samples, 5 conflict with what exists, 6 damaged store, "
    "130 interrupted.",
)

app.command("run")(run_command)
app.command("eval")(eval_command)
app.command("compare")(compare_command)
app.command("info")(info_command)
app.command("predict")(predict_command)
app.command("export")(export_command)
app.command("serve")(serve_command)
app.command("time")(time_command)
app.command("list")(list_command)


def main() -> None:
    """Run `train`."""
    raise SystemExit(run_app(app, "train"))

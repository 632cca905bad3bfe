"""SIGKILL before each rename of a store's files, and within deletions: the old store or the new one stands there."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from segprep.datasets.shards.verify import verify_store
from support.commands import make_camvid, prep, tree_bytes

# Forks a process for each command, which counts how it changes names and kills itself before one of them. Forking saves
# the second that imports take; syncing is left out, because a killed process loses nothing that was written.
SERVER = """
import gc, importlib.util, json, os, signal, sys
if importlib.util.find_spec("pydantic"):  # newer versions of typer need it
    import pydantic
from segprep.datasets.catalog import camvid
from segprep.datasets.program.command_line import run_app
from segprep.workflows.command import shard_action, stage_action, store_actions
from segprep.workflows.stores import repair
from segprep.workflows.stores import writing as shard_run
from segprep.workflows.stores import place as store_place
from segprep.workflows.cli import app

def run(arguments, victim, answer):
    seen = []
    def counted(name, function):
        def call(*args, **kwargs):
            seen.append(name)
            if len(seen) - 1 == victim:
                os.kill(os.getpid(), signal.SIGKILL)
            return function(*args, **kwargs)
        return call
    os.fsync = lambda descriptor: None
    for name in ("rename", "replace", "link", "unlink", "rmdir"):
        setattr(os, name, counted(name, getattr(os, name)))
    if "--without-exchange" in arguments:
        arguments.remove("--without-exchange")
        store_place.exchange = lambda first, second: False
    else:
        store_place.exchange = counted("exchange", store_place.exchange)
    sys.stdout = sys.stderr = open(os.devnull, "w")
    code = run_app(app, "prep", arguments)
    os.write(answer, json.dumps({"code": code, "seen": seen}).encode())
    os._exit(0)

gc.freeze()
for line in sys.stdin:
    order = json.loads(line)
    answer, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(answer)
        os.chdir(order["cwd"])
        run(order["arguments"], order["victim"], write)
    os.close(write)
    with os.fdopen(answer) as stream:
        text = stream.read()
    _, status = os.waitpid(child, 0)
    killed = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL
    print(text or json.dumps({"killed": killed}), flush=True)
"""


@dataclass(frozen=True)
class Server:
    """Runs commands, killed before the change of names number `victim` or not at all."""

    process: "subprocess.Popen[str]"

    def run(self, cwd: Path, *arguments: str, victim: int = -1) -> dict[str, object]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        order = {"cwd": str(cwd), "arguments": arguments, "victim": victim}
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()
        answer: dict[str, object] = json.loads(self.process.stdout.readline())
        return answer


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        yield Server(process)
        process.communicate()


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Workspaces before a store is written, before it grows, and with damage in it."""
    world = tmp_path_factory.mktemp("kills")
    places = {name: world / name for name in ("write", "append", "repair")}

    def grow(place: Path, train: int) -> None:
        shutil.rmtree(world / "camvid", ignore_errors=True)
        make_camvid(world / "camvid", train=train, val=1)
        assert prep("init", "camvid", world / "camvid", "-C", place) == 0
        assert prep("resize", "--factor", "4", "--split", "train", "-C", place) == 0

    grow(places["write"], 3)
    shutil.copytree(places["write"], places["append"])
    assert prep(*SHARD, "--samples-per-shard", "2", "-C", places["append"]) == 0
    shutil.copytree(places["append"], places["repair"])
    grow(places["append"], 4)
    damaged = places["repair"] / STORE
    content = bytearray((damaged / "label/c.0.0.0").read_bytes())
    content[9] ^= 1
    (damaged / "label/c.0.0.0").write_bytes(content)
    (damaged / "key/c.1.0").unlink()
    (damaged / "pose/zarr.json").write_bytes(b"{")
    return places


STORE = "shards/train.zarr"
SHARD = ("shard", "--columns", "label", "--split", "train")
COMMANDS = {
    "write": (*SHARD, "--samples-per-shard", "2", "--workers", "0"),
    "append": (*SHARD, "--workers", "0"),
    "repair": ("verify", "--repair"),
}
RENAMES = {"rename", "replace", "exchange"}
OTHERS = 23  # of links and deletions, each twenty-third


@pytest.mark.parametrize("scenario", ["write", "append", "repair"])
def test_a_kill_leaves_the_old_store_or_the_new_one_and_a_rerun_ends_it(
    server: Server, prepared: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scenario: str
) -> None:
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)
    command, start = COMMANDS[scenario], prepared[scenario]
    whole = tmp_path / "whole"
    shutil.copytree(start, whole)
    done = server.run(whole, *command)
    assert done["code"] == 0
    assert verify_store(whole / STORE) == []
    old, new = tree_bytes(start / STORE), tree_bytes(whole / STORE)
    shards = tree_bytes(whole / "shards")
    assert old != new
    seen = done["seen"]
    assert isinstance(seen, list)
    last = max(n for n, name in enumerate(seen) if name in RENAMES)
    assert seen[last] == ("rename" if scenario == "write" else "exchange")
    renames = [n for n, name in enumerate(seen) if name in RENAMES]
    renames = [*renames[:-6:3], *renames[-6:]]
    others = [n for n, name in enumerate(seen) if name not in RENAMES and (n == last + 1 or n % OTHERS == 0)]
    victims = sorted({*renames, *others})
    assert len(renames) > 10
    found_new = 0
    for victim in victims:
        place = tmp_path / "killed"
        shutil.copytree(start, place)
        assert server.run(place, *command, victim=victim) == {"killed": True}, victim
        stands = tree_bytes(place / STORE)
        assert stands in (old, new), (victim, seen[victim : victim + 1])
        found_new += stands == new
        assert (place / STORE).exists() or scenario == "write"
        assert prep(*command, "-C", place) == 0
        assert tree_bytes(place / "shards") == shards, victim
        shutil.rmtree(place)
    assert (found_new > 0) == (scenario != "write")  # where nothing follows the last rename


def test_where_folders_cannot_change_places_a_rerun_ends_it_too(
    server: Server, prepared: dict[str, Path], tmp_path: Path
) -> None:
    command, start = (*COMMANDS["append"], "--without-exchange"), prepared["append"]
    whole = tmp_path / "whole"
    shutil.copytree(start, whole)
    done = server.run(whole, *command)
    old, new = tree_bytes(start / STORE), tree_bytes(whole / STORE)
    seen = done["seen"]
    assert isinstance(seen, list)
    *_, first, _, _, last = [n for n, name in enumerate(seen) if name == "rename"]
    assert last - first == 3
    for victim in range(first, last + 2):
        place = tmp_path / f"killed{victim}"
        shutil.copytree(start, place)
        assert server.run(place, *command, victim=victim) == {"killed": True}
        stands = tree_bytes(place / STORE)
        assert stands in (old, new, {}), victim
        assert (stands == {}) == (victim == last)
        assert server.run(place, *command)["code"] == 0
        assert tree_bytes(place / "shards") == tree_bytes(whole / "shards")
    assert verify_store(place / STORE) == []
    assert tree_bytes(place / STORE) == new

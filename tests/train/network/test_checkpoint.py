"""Checkpoints: whole or not there, and only of the network that they are loaded into."""

import errno
import os
import pickle
import resource
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import nn

from segprep.datasets import source_files
from segprep.datasets.errors import ConfigurationError, DamagedStoreError, MachineError, WriteFailedError
from segprep.train.network.checkpoint import Checkpoint, list_checkpoints, load_checkpoint, load_into, save_checkpoint
from segprep.train.network.pointers import point_at
from support.runs import checkpoint_of


def _network(channels: int = 4) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(3, channels, 3), nn.BatchNorm2d(channels))


def _first_weights(network: nn.Module) -> nn.Parameter:
    return network.get_parameter("0.weight")


def _checkpoint(step: int, **more: Any) -> Checkpoint:
    """A checkpoint whose first weights say which step it is."""
    network = _network()
    optimizer = torch.optim.Adam(network.parameters())
    network(torch.ones(1, 3, 4, 4)).sum().backward()
    optimizer.step()
    _first_weights(network).data.fill_(step)
    return Checkpoint(network.state_dict(), optimizer.state_dict(), torch.get_rng_state(), {"step": step}, **more)


def _loaded(folder: Path, name: str = "last") -> Checkpoint:
    checkpoint = load_checkpoint(folder, name)
    assert checkpoint is not None
    return checkpoint


def _assert_last_is(folder: Path, step: int) -> None:
    """The last checkpoint is this one, complete, and nothing half written lies about."""
    last = _loaded(folder)
    assert last.state["step"] == step
    assert (last.weights["0.weight"] == step).all()
    assert [p.name for p in folder.iterdir() if p.name.endswith(".partial")] == []


def test_everything_comes_back(tmp_path: Path) -> None:
    averaged = {name: value + 1 for name, value in _network().state_dict().items()}
    scaler = {"scale": 1024.0, "_growth_tracker": 3}
    states = (torch.arange(5, dtype=torch.uint8), torch.zeros(3, dtype=torch.uint8))
    saved = _checkpoint(7, averaged=averaged, scaler=scaler, cuda_random_states=states)
    save_checkpoint(tmp_path, saved, best=True)
    for name in ("last", "best", "step-00000007"):
        loaded = _loaded(tmp_path, name)
        assert all(torch.equal(value, loaded.weights[k]) for k, value in saved.weights.items())
        assert loaded.averaged is not None
        assert all(torch.equal(value, loaded.averaged[k]) for k, value in averaged.items())
        assert loaded.scaler == scaler
        assert all(map(torch.equal, loaded.cuda_random_states, states))
        assert torch.equal(loaded.random_state, saved.random_state)
        assert loaded.state == {"step": 7}
        assert loaded.path == tmp_path / "step-00000007"
        torch.testing.assert_close(loaded.optimizer, dict(saved.optimizer), rtol=0, atol=0)


def test_the_file_that_people_take_holds_the_averaged_weights(tmp_path: Path) -> None:
    averaged = {name: value + 1 for name, value in _network().state_dict().items()}
    save_checkpoint(tmp_path, _checkpoint(1, averaged=averaged), best=False)
    taken = safetensors.torch.load_file(checkpoint_of(tmp_path) / "weights.safetensors")
    assert all(torch.equal(value, taken[name]) for name, value in averaged.items())
    for wanted, value in ((False, 1.0), (True, averaged["0.weight"][0, 0, 0, 0].item())):
        network = _network()
        load_into(network, _loaded(tmp_path), averaged=wanted)
        assert _first_weights(network)[0, 0, 0, 0].item() == value


def test_without_averages_an_evaluation_takes_the_weights(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, _checkpoint(3), best=False)
    network = _network()
    load_into(network, _loaded(tmp_path), averaged=True)
    assert torch.equal(_first_weights(network), torch.full((4, 3, 3, 3), 3.0))


@pytest.mark.parametrize(("keep", "kept"), [(0, [2, 6]), (2, [2, 4, 5, 6]), (9, [1, 2, 3, 4, 5, 6])])
def test_last_best_and_the_newest_others_are_kept(tmp_path: Path, keep: int, kept: list[int]) -> None:
    for step in range(1, 7):
        save_checkpoint(tmp_path, _checkpoint(step), best=step == 2, keep=keep)
    found = list_checkpoints(tmp_path)
    assert [each.step for each in found] == kept
    assert {each.step: each.pointers for each in found if each.pointers} == {2: ("best",), 6: ("last",)}
    for each in found:
        assert (_loaded(tmp_path, each.path.name).weights["0.weight"] == each.step).all()


def test_there_may_be_none(tmp_path: Path) -> None:
    assert load_checkpoint(tmp_path, "last") is None
    assert list_checkpoints(tmp_path / "nowhere") == ()


def test_a_step_that_is_saved_again_never_leaves_last_without_a_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, _checkpoint(5), best=True)

    def fail(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", fail)
        with pytest.raises(WriteFailedError, match="the one before, step-00000005, is kept"):
            save_checkpoint(tmp_path, _checkpoint(5), best=True)
    _assert_last_is(tmp_path, 5)
    for _ in range(4):
        save_checkpoint(tmp_path, _checkpoint(5), best=False)
        _assert_last_is(tmp_path, 5)
    assert _loaded(tmp_path, "best").state["step"] == 5


@pytest.mark.parametrize("synced", range(4))
def test_a_disk_that_fills_up_at_any_file_leaves_the_last_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: int
) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=True)
    calls = iter(range(100))
    sync = os.fsync

    def full(descriptor: int) -> None:
        if next(calls) >= synced:
            raise OSError(errno.ENOSPC, "No space left on device")
        sync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(WriteFailedError, match=r"step-00000002, is kept.*the disk is full") as caught:
            save_checkpoint(tmp_path, _checkpoint(4), best=True)
    assert caught.value.errno == errno.ENOSPC
    _assert_last_is(tmp_path, 2)
    assert [each.step for each in list_checkpoints(tmp_path)] == [2]
    save_checkpoint(tmp_path, _checkpoint(4), best=True)
    _assert_last_is(tmp_path, 4)


def test_a_process_that_dies_between_the_pointers_leaves_no_last_one_that_should_be_the_best(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=True)
    pointed: list[str] = []

    def dies(folder: Path, pointer: str, name: str) -> None:
        if pointed:
            raise KeyboardInterrupt
        pointed.append(pointer)
        point_at(folder, pointer, name)

    with monkeypatch.context() as patch:
        patch.setattr("segprep.train.network.checkpoint.point_at", dies)
        with pytest.raises(KeyboardInterrupt):
            save_checkpoint(tmp_path, _checkpoint(4), best=True)
    assert (checkpoint_of(tmp_path).name, checkpoint_of(tmp_path, "best").name) == ("step-00000002", "step-00000004")
    save_checkpoint(tmp_path, _checkpoint(4), best=True)
    assert checkpoint_of(tmp_path).name == checkpoint_of(tmp_path, "best").name == "step-00000004-2"


@pytest.mark.parametrize("file", ["state.json", "weights.safetensors"])
def test_a_checkpoint_that_the_disk_does_not_deliver_is_not_called_damaged(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=True)

    def failing(opened: Callable[..., Any]) -> Callable[..., Any]:
        def broken(path: Path, *arguments: Any, **named: Any) -> Any:
            if path.name == file:
                raise OSError(errno.EIO, "Input/output error")
            return opened(path, *arguments, **named)

        return broken

    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", failing(Path.open))
        patch.setattr(source_files, "open_file", failing(source_files.open_file))
        with pytest.raises(MachineError, match=rf"{file} cannot be read: Input/output error\. Check the disk"):
            load_checkpoint(tmp_path, "last")
    _assert_last_is(tmp_path, 2)


_CHILD = """
import resource, sys
from pathlib import Path
import torch
from segprep.datasets.program.command_line import new_app, run_app
from segprep.train.network.checkpoint import Checkpoint, save_checkpoint

app = new_app("child", "Saves a checkpoint.", "as always")

@app.command()
def save(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    weights = {"0.weight": torch.full((300, 300), 4.0)}
    optimizer = {"means": torch.zeros(200_000)}
    save_checkpoint(folder, Checkpoint(weights, optimizer, torch.get_rng_state(), {"step": 4}), best=True)

@app.command()
def other() -> None: ...

raise SystemExit(run_app(app, "child", ["save", sys.argv[1]]))
"""


def _save_in_a_child(folder: Path, largest_file: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _CHILD, str(folder), str(largest_file)]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("largest_file", [100_000, 500_000])  # too little for the weights, for the optimizer only
def test_a_process_that_may_not_write_more_says_so_and_exits_3(tmp_path: Path, largest_file: int) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=True)
    done = _save_in_a_child(tmp_path, largest_file)
    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"child: the checkpoint {tmp_path / 'step-00000004'} cannot be written")
    assert "the one before, step-00000002, is kept" in done.stderr
    assert "free some space" in done.stderr or "File too large" in done.stderr
    assert "Traceback" not in done.stderr
    _assert_last_is(tmp_path, 2)
    assert _save_in_a_child(tmp_path, resource.RLIM_INFINITY).returncode == 0
    _assert_last_is(tmp_path, 4)


def test_what_a_killed_process_left_goes_with_the_next_checkpoint(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=False)
    shutil.copytree(tmp_path / "step-00000002", tmp_path / "step-00000004.123.partial")
    (tmp_path / "last.123.partial").symlink_to("step-00000004")  # of an earlier version
    (tmp_path / "best.123.partial").write_text("step-00000004")
    save_checkpoint(tmp_path, _checkpoint(6), best=False)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["last", "step-00000006"]


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.pt", "state.json"])
@pytest.mark.parametrize("damage", ["cut", "garbled", "gone", "empty"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, file: str, damage: str) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=False)
    path = tmp_path / "step-00000002" / file
    data = path.read_bytes()
    path.unlink()
    if damage != "gone":
        path.write_bytes({"cut": data[: len(data) // 2], "garbled": b"\x93" * len(data), "empty": b""}[damage])
    with pytest.raises(DamagedStoreError, match=r"checkpoint .*step-00000002 is damaged \(.+\): copy it back"):
        load_checkpoint(tmp_path, "last")


@pytest.mark.parametrize("file", ["weights.safetensors", "optimizer.pt", "state.json"])
def test_a_flipped_bit_anywhere_is_noticed_or_changes_nothing(tmp_path: Path, file: str) -> None:
    averaged = {name: value + 1 for name, value in _network().state_dict().items()}
    save_checkpoint(tmp_path, _checkpoint(2, averaged=averaged), best=False)
    path = tmp_path / "step-00000002" / file
    data = path.read_bytes()
    for place in range(0, len(data), max(1, len(data) // 60)):
        changed = bytearray(data)
        changed[place] ^= 4
        path.write_bytes(changed)
        if file == "state.json" and bytes([data[place]]).isspace():
            continue
        with pytest.raises(DamagedStoreError, match=f"step-00000002 is damaged .*{file}"):
            load_checkpoint(tmp_path, "last")
    path.write_bytes(data)
    assert _loaded(tmp_path).has_checksums


def test_a_checkpoint_that_went_while_it_was_read_is_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=False)
    read = torch.load

    def meanwhile(*arguments: Any, **options: Any) -> Any:
        monkeypatch.setattr(torch, "load", read)
        save_checkpoint(tmp_path, _checkpoint(4), best=False)
        return read(*arguments, **options)

    monkeypatch.setattr(torch, "load", meanwhile)
    assert _loaded(tmp_path).state == {"step": 4}


def _raise(*_: object) -> None:
    raise AssertionError("a checkpoint ran code")


class _Attack:
    def __reduce__(self) -> tuple[Callable[..., None], tuple[str]]:
        return _raise, ("",)


@pytest.mark.parametrize(
    "foreign",
    [
        lambda path: path.write_bytes(pickle.dumps(_Attack())),
        lambda path: torch.save({"model": {}}, path),
        lambda path: torch.save([1, 2], path),
        lambda path: torch.save(torch.zeros(2), path),
    ],
)
def test_the_file_of_another_program_is_refused(tmp_path: Path, foreign: Callable[[Path], object]) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=False)
    foreign(checkpoint_of(tmp_path) / "optimizer.pt")
    with pytest.raises(DamagedStoreError, match="step-00000002 is damaged"):
        load_checkpoint(tmp_path, "last")


@pytest.mark.parametrize("text", ["[]", "{}", '{"step": null}', "null"])
def test_a_state_without_a_step_is_refused(tmp_path: Path, text: str) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=False)
    (checkpoint_of(tmp_path) / "state.json").write_text(text)
    with pytest.raises(DamagedStoreError, match="step-00000002 is damaged"):
        load_checkpoint(tmp_path, "last")


def test_a_pointer_to_a_checkpoint_that_was_removed_is_damage(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, _checkpoint(2), best=False)
    shutil.rmtree(tmp_path / "step-00000002")
    with pytest.raises(DamagedStoreError, match="step-00000002 is damaged"):
        load_checkpoint(tmp_path, "last")


def test_the_checkpoint_of_another_network_is_refused_by_names(tmp_path: Path) -> None:
    wide = _network(8)
    wide.append(nn.Conv2d(8, 2, 1))
    optimizer = torch.optim.Adam(wide.parameters()).state_dict()
    saved = Checkpoint(wide.state_dict(), optimizer, torch.get_rng_state(), {"step": 1})
    save_checkpoint(tmp_path, saved, best=False)
    network = _network()
    network.append(nn.BatchNorm2d(4))
    before = {name: value.clone() for name, value in network.state_dict().items()}
    with pytest.raises(ConfigurationError) as caught:
        load_into(network, _loaded(tmp_path))
    message = str(caught.value)
    assert f"the checkpoint {tmp_path / 'step-00000001'} cannot be loaded into this network" in message
    assert "missing: 2.running_mean, 2.running_var, 2.num_batches_tracked;" in message
    assert "of another shape: 0.weight (8, 3, 3, 3) instead of (4, 3, 3, 3), 0.bias (8,)" in message
    assert "and 5 more" in message
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    with pytest.raises(ConfigurationError, match=r"unexpected: 2\.bias, 2\.weight\)"):
        load_into(_network(8), _loaded(tmp_path))

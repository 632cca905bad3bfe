"""How fast samples are read: `python bench/read.py [--out DIR] [--part PART]... [--peer PEER]... [--tiny]`.

Image, flow and label of 768x384 (see `_read_data.py`), shuffled, from memory that the system keeps of the files, but in
the part `cold`. Our stores against copies of NumPy's mapped arrays, zarr-python, PNGs, and other libraries, which are
installed into environments of their own below --out; those that do not install are named. Arms run in processes of
their own and take turns. `--tiny` does it in seconds without the other libraries.

Parts: `single` samples; `batches` of 8 as a trainer takes them; `crops`; what `checksums` cost; `cold`, from the disk.
"""

import argparse
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from _measure import load_line
from _read_data import COLUMNS, Scale, make_arrays, write_pngs, write_store
from _read_driver import Group
from _read_environments import PEERS, environment
from _read_parts import Bench, Opened, batches, checksums, cold, crops, single, warm
from _read_targets import verdict

_FULL = Scale((768, 384), frames=16, samples=256, per_shard=64)
_TINY = Scale((96, 48), frames=2, samples=16, per_shard=4)
_PARTS: Mapping[str, Callable[[Bench, Opened], str]] = {
    "single": single, "batches": batches, "crops": crops, "checksums": checksums, "cold": cold
}  # fmt: skip


def _pythons(names: Sequence[str], folder: Path) -> dict[str, str]:
    """Return the Python of each peer that installs, after printing versions and failures."""
    found = {}
    for name in names:
        try:
            python, version = environment(name, folder / name)
        except (RuntimeError, OSError) as error:
            print(f"not measured: {name}: {error}")
            continue
        print(f"{name}: {PEERS[name].package} {version}")
        found[name] = str(python)
    return found


def _write_peers(pythons: Mapping[str, str], folder: Path, log: Path) -> None:
    """Have each peer write its own format, if it has one and it is not there."""
    script = str(Path(__file__).with_name("_read_peers.py"))
    for name, python in pythons.items():
        if name != "tensorstore" and not (folder / name).exists():
            with log.open("a") as output:
                done = subprocess.run([python, script, name, str(folder)], stdout=output, stderr=output, check=False)
            if done.returncode:
                print(f"not measured: {name}: it did not write its data, see {log}")


def _show(part: str, measure: Callable[[Bench, Opened], str], bench: Bench, opened: Opened) -> None:
    print(f"\n## {part}: {load_line('at the start')}\n", flush=True)
    print(f"{measure(bench, opened)}\n\n{load_line('at the end')}", flush=True)


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    default = Path(__file__).parent / "results" / "read"
    parser.add_argument("--out", type=Path, default=default, help="for data and environments, which are used again")
    parser.add_argument("--part", action="append", choices=list(_PARTS), help="this part only; may be repeated")
    parser.add_argument("--peer", action="append", choices=list(PEERS), help="this library only; may be repeated")
    parser.add_argument("--tiny", action="store_true", help="in seconds, own arms only: does it run at all?")
    options = parser.parse_args(arguments)
    scale = _TINY if options.tiny else _FULL
    out: Path = options.out.absolute()
    folder, log = out / ("tiny" if options.tiny else "data"), out / "log.txt"
    arrays = make_arrays(folder, scale)
    for codec in ("none", "lz4", "zstd"):
        write_store(folder / f"{codec}.zarr", arrays, codec, scale.per_shard)
    write_pngs(folder / "png", arrays)
    pythons = {} if options.tiny else _pythons(options.peer or list(PEERS), out / "environments")
    _write_peers(pythons, folder, log)
    peers = {}
    for name, python in pythons.items():
        for arm in ("tensorstore none", "tensorstore lz4") if name == "tensorstore" else (name,):
            peers[arm] = Group("_read_peers", python, name)
    print(f"{scale.samples} samples of {', '.join(COLUMNS)}, {scale.raw_bytes / 1e6:.3f} MB each")
    bench = Bench(folder, log, scale, peers, options.tiny)
    asked = options.part or list(_PARTS)
    with warm(bench) as opened:
        for part in (each for each in asked if each != "cold"):
            _show(part, _PARTS[part], bench, opened)
    if "cold" in asked:
        _show("cold", cold, bench, opened)
    print(f"\n## targets\n\n{verdict(bench)}")


if __name__ == "__main__":
    main()

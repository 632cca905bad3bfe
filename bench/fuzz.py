"""Mutants of every kind of file that is read: `python bench/fuzz.py [--mutants N] [--seed S] [--out DIR] [--tiny]`.

Each mutant is read in a process that may grow by 1 GB, and has 5 seconds of a processor and a minute in all. Allowed
are a value, and an error that names the file. Prints how many of each kind were read, refused, or ended otherwise: an
error that says nothing to a user, a hang, too much memory, a crash. Fails if any did.
"""

import argparse
import os
import resource
import shutil
import signal
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import NoReturn
from zlib import crc32

import cv2
import numpy as np
import torch
from _damage_world import build
from _fuzz_mutants import mutant
from _fuzz_own_readers import own_readers
from _fuzz_readers import Reader, foreign_readers
from _measure import table

from segprep.datasets.errors import SegprepError

_SECONDS = 5
_WAITING_SECONDS = 60  # on a machine with other work
_HANGS = (signal.SIGPROF, signal.SIGALRM)
_GROWTH = 2**30
_BATCH = 200
_ENDS = ("read", "refused", "other error", "hang", "memory", "crash")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fuzz", help="made anew")
    parser.add_argument("--mutants", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", help="readers whose name has this in it")
    parser.add_argument("--accept", action="append", default=[], metavar="NAME", help="may end in any way")
    parser.add_argument("--tiny", action="store_true", help="in seconds: one of each kind")
    options = parser.parse_args()
    shutil.rmtree(options.out, ignore_errors=True)
    out = options.out.absolute()
    every = [*foreign_readers(out), *own_readers(out, build(out / "sound", tiny=options.tiny))]
    chosen = [each for each in every if (options.only or "") in each.name]
    each_kind = 1 if options.tiny else -(-options.mutants // len(chosen))
    counts: dict[str, Counter[str]] = {}
    for reader in chosen:
        counts[reader.name] = Counter()
        for start in range(0, each_kind, _BATCH):
            kind, indices = crc32(reader.name.encode()), range(start, min(start + _BATCH, each_kind))
            seeds = [(options.seed, kind, index) for index in indices]
            while seeds:  # a crash ends a process, the rest of its mutants goes to another
                done = _in_process(reader, seeds)
                for seed, (end, detail) in zip(seeds, done, strict=False):
                    counts[reader.name][end] += 1
                    if end not in ("read", "refused"):
                        print(f"{reader.name} {seed}: {end}: {detail}", flush=True)
                seeds = seeds[len(done) :]
        reader.path.write_bytes(reader.sound)
    rows = [[name, *(str(found[end]) for end in _ENDS)] for name, found in counts.items()]
    totals = [sum(found[end] for found in counts.values()) for end in _ENDS]
    print(table(("file", *_ENDS), [*rows, ["all", *map(str, totals)]]))
    wrong = sum(found[end] for name, found in counts.items() if name not in options.accept for end in _ENDS[2:])
    if wrong:
        sys.exit(f"{wrong} of {sum(totals)} mutants ended otherwise than they may")


def _in_process(reader: Reader, seeds: list[tuple[int, int, int]]) -> list[tuple[str, str]]:
    """Read mutants in a process of its own; return how they ended, up to one that ended the process."""
    receiving, sending = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # about threads, which the child does not need
        process = os.fork()
    if process == 0:
        os.close(receiving)
        _child(reader, seeds, sending)
    os.close(sending)
    with os.fdopen(receiving, encoding="utf-8", errors="replace") as stream:
        lines = stream.read().splitlines()
    _, status = os.waitpid(process, 0)
    done = [(end, detail) for end, _, detail in (line.partition("\t") for line in lines)]
    if len(done) < len(seeds):
        died = os.waitstatus_to_exitcode(status)
        done.append(("hang", f"longer than {_SECONDS} s") if -died in _HANGS else ("crash", f"exit {died}"))
    return done


def _child(reader: Reader, seeds: list[tuple[int, int, int]], sending: int) -> NoReturn:
    warnings.simplefilter("ignore")
    for each in _HANGS:
        signal.signal(each, signal.SIG_DFL)
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
    limit = pages * os.sysconf("SC_PAGE_SIZE") + _GROWTH
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    cv2.setNumThreads(0)  # the threads of the parent are not there
    torch.set_num_threads(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libpng and others write there
    for seed in seeds:
        reader.path.write_bytes(mutant(reader.sound, np.random.default_rng(seed)))
        signal.setitimer(signal.ITIMER_PROF, _SECONDS)
        signal.alarm(_WAITING_SECONDS)
        end, detail = _end(reader)
        signal.alarm(0)
        signal.setitimer(signal.ITIMER_PROF, 0)
        os.write(sending, f"{end}\t{detail[:300]}\n".encode())
    os._exit(0)


def _end(reader: Reader) -> tuple[str, str]:
    try:
        reader.read()
    except SegprepError:
        return "refused", ""
    except MemoryError:
        return "memory", f"more than {_GROWTH >> 20} MB"
    except Exception as error:  # noqa: BLE001  (which one is what this is about)
        return "other error", " ".join(f"{type(error).__name__}: {error}".split())
    return "read", ""


if __name__ == "__main__":
    main()

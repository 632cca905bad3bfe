"""The command line of benchmarks that have parts, and how the parts' figures are shown."""

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from _measure import load_line

__all__ = ["parser_of", "show"]


def parser_of(doc: str | None, name: str, parts: Sequence[str]) -> ArgumentParser:
    """Return a parser of `--out`, else results/NAME, `--tiny` and `--part`."""
    parser = ArgumentParser(description=doc, formatter_class=RawDescriptionHelpFormatter)
    results = Path(__file__).parent / "results" / name
    parser.add_argument("--out", type=Path, default=results, help="for what it writes")
    parser.add_argument("--tiny", action="store_true", help="small frames, in seconds: does it run at all?")
    parser.add_argument("--part", choices=parts, action="append", help="only this part; can be repeated")
    return parser


def show(parts: Mapping[str, Callable[[], str]], asked: Sequence[str] | None) -> None:
    """Measure the parts that are asked for, else all, and print each with the load of the machine."""
    for part in asked or parts:
        print(f"## {part}: {load_line('at the start')}\n", flush=True)
        print(f"{parts[part]()}\n\n{load_line('at the end')}\n", flush=True)

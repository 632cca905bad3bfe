"""Frames per second of the rendered world on one core: `python bench/render.py [--tiny]`.

Prints the median of repeated single frames of a 512 x 256 drive, for rendering alone and with the exact motion to the
frame before. The bar is 4 frames per second for rendering.
"""

import argparse
import statistics
import time

from threadpoolctl import threadpool_limits

from segprep.datasets.synthetic import World, motion, render


def measure(frames: int) -> tuple[list[float], list[float]]:
    world = World()
    render(world, 0)  # draws the first stretch of road and the noise
    rendering, moving = [], []
    for step in range(1, frames + 1):
        frame = 7 * step
        began = time.perf_counter()
        render(world, frame)
        rendered = time.perf_counter()
        motion(world, frame, frame - 1)
        moved = time.perf_counter()
        rendering.append(rendered - began)
        moving.append(moved - began)
    return rendering, moving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tiny", action="store_true", help="3 frames instead of 30: does it run at all?")
    frames = 3 if parser.parse_args().tiny else 30
    with threadpool_limits(1):
        rendering, moving = measure(frames)
    print(f"median of {frames} frames of 512 x 256 on one core:")
    print(f"  render            {1 / statistics.median(rendering):6.1f} frames/s")
    print(f"  render and motion {1 / statistics.median(moving):6.1f} frames/s")


if __name__ == "__main__":
    main()

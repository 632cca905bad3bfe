"""Where things stand along the endless road, and how traffic moves; drawn from the seed block by block."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Final

import numpy as np

from segprep.datasets.sample import Matrix
from segprep.datasets.synthetic import models, street
from segprep.datasets.synthetic.shapes import Solid
from segprep.datasets.synthetic.world import World, road_frame

__all__ = ["Thing", "things_near"]

_BLOCK_M: Final = 24.0
_SLOTS: Final = 4  # parking places per block
_STATIC_STREAM: Final = 0
_OWN_DIRECTION: Final = 0.6  # share of the traffic's speed: the camera overtakes
_WALK_M_S: Final = 1.3


@dataclass(frozen=True, slots=True, eq=False)
class Thing:
    """A rigid body of one or more solids.

    Attributes:
        solids: In the thing's own coordinates: x along the road, y left, z up.
        instance: 1..65535 for cars and persons, the same in every frame; else 0.
        station: x of its place on the centre line at time 0.
        offset: Distance from the centre line in metres, left is positive.
        yaw: Turn against the road's direction in radians.
        speed: Along the road in metres per second; 0 for everything that stands.
    """

    solids: tuple[Solid, ...]
    instance: int
    station: float
    offset: float
    yaw: float = 0.0
    speed: float = 0.0

    def to_world(self, world: World, time: float) -> Matrix:
        """Return the (4, 4) transform of the thing's points to the world."""
        return road_frame(world, self.station + self.speed * time, self.offset, self.yaw)


@dataclass(frozen=True, slots=True)
class _Lane:
    """An endless row of equally fast things, one per slot."""

    stream: int
    model: Callable[[np.random.Generator], tuple[Solid, ...]]
    offset: float
    sway: float  # largest deviation from the offset
    spacing: float
    jitter: float  # below (spacing - longest thing) / 2: nothing overlaps
    share_filled: float
    backwards: bool  # whether the things look against the road's direction
    speed: float
    first_instance: int
    instances: int


def things_near(world: World, station: float, time: float) -> Iterator[Thing]:
    """Yield all things whose place on the road lies within the view distance of a station, in a fixed order."""
    reach = world.view_distance
    first, last = math.floor((station - reach) / _BLOCK_M), math.floor((station + reach) / _BLOCK_M)
    for block in range(first, last + 1):
        yield from (t for t in _block(world.seed, block) if abs(t.station - station) <= reach)
    for lane in _lanes(world.traffic_speed, world.traffic_density):
        moved = station - lane.speed * time
        for slot in range(math.floor((moved - reach) / lane.spacing), math.ceil((moved + reach) / lane.spacing) + 1):
            thing = _slot(world.seed, lane, slot)
            if thing is not None and abs(thing.station - moved) <= reach:
                yield thing


@lru_cache(maxsize=8)
def _lanes(traffic_speed: float, density: float) -> tuple[_Lane, ...]:
    return tuple(_denser(lane, density) for lane in _usual_lanes(traffic_speed))


def _usual_lanes(traffic_speed: float) -> tuple[_Lane, ...]:
    v, walk = traffic_speed, _WALK_M_S if traffic_speed else 0.0
    left = (street.KERBS_M[0] + street.SIDEWALKS_M[0]) / 2
    right = (street.KERBS_M[1] + street.SIDEWALKS_M[1]) / 2
    return (
        _Lane(1, models.car, street.ONCOMING_LANE_M, 0.2, 24.0, 8.0, 0.65, True, -v, 20001, 10000),
        _Lane(2, models.car, street.SLOW_LANE_M, 0.2, 25.0, 8.0, 0.65, False, _OWN_DIRECTION * v, 30001, 10000),
        _Lane(3, models.person, left, 0.5, 11.0, 4.0, 0.8, False, walk, 40001, 6000),
        _Lane(4, models.person, right, 0.5, 11.0, 4.0, 0.8, True, -walk, 46001, 6000),
    )


def _denser(lane: _Lane, density: float) -> _Lane:
    return replace(
        lane,
        spacing=lane.spacing / density,
        jitter=lane.jitter / density**2,
        share_filled=lane.share_filled + (1 - lane.share_filled) * (1 - 1 / density),
    )


@lru_cache(maxsize=4096)
def _slot(seed: int, lane: _Lane, slot: int) -> Thing | None:
    rng = _generator(seed, lane.stream, slot)
    if rng.random() > lane.share_filled:
        return None
    return Thing(
        lane.model(rng),
        instance=lane.first_instance + slot % lane.instances,
        station=slot * lane.spacing + rng.uniform(-lane.jitter, lane.jitter),
        offset=lane.offset + rng.uniform(-lane.sway, lane.sway),
        yaw=math.pi if lane.backwards else 0.0,
        speed=lane.speed,
    )


@lru_cache(maxsize=1024)
def _block(seed: int, block: int) -> tuple[Thing, ...]:
    rng = _generator(seed, _STATIC_STREAM, block)
    start = block * _BLOCK_M
    things = list(_parked(rng, block, start))
    for side in (0, 1):
        sign = 1 if side == 0 else -1
        kerb, walk = street.KERBS_M[side], street.SIDEWALKS_M[side]
        lamp_yaw = math.pi if side == 0 else 0.0  # its arm reaches over the road
        things.append(Thing(models.lamp(rng), 0, start + rng.uniform(9, 11), kerb + 0.4 * sign, lamp_yaw))
        if rng.random() < 0.75:
            things.append(Thing(models.sign(rng), 0, start + rng.uniform(2, 6), kerb + 0.6 * sign))
        if rng.random() < 0.6:
            things.append(Thing(models.cabinet(rng), 0, start + rng.uniform(14, 20), walk - 0.3 * sign))
        for place in (4.0, 16.0):
            if rng.random() < 0.65:
                where = start + place + rng.uniform(-2, 2)
                things.append(Thing(models.tree(rng), 0, where, walk + 1.2 * sign, rng.uniform(0, math.tau)))
        lot = street.LOTS_M[side]
        # Every third lot of a side is a garden, so that fences and open views come regularly.
        things += _garden(rng, start, lot) if (block + side) % 3 == 0 else _houses(rng, start, lot)
    return tuple(things)


def _garden(rng: np.random.Generator, start: float, lot: float) -> Iterator[Thing]:
    yield Thing(models.fence(rng, 23.0), 0, start + _BLOCK_M / 2, lot)
    for place in (3.0, 9.0, 15.0, 21.0):
        model = models.tree if rng.random() < 0.5 else models.bush
        back = lot + math.copysign(rng.uniform(2.5, 10), lot)
        yield Thing(model(rng), 0, start + place, back, rng.uniform(0, math.tau))


def _houses(rng: np.random.Generator, start: float, lot: float) -> Iterator[Thing]:
    front = lot + math.copysign(rng.uniform(0.3, 1.5), lot)
    turned = 0.0 if lot > 0 else math.pi  # houses look at the road with their -y side
    if rng.random() < 0.5:
        yield Thing(models.house(rng, rng.uniform(19, 23)), 0, start + _BLOCK_M / 2, front, turned)
    else:
        for place in (6.0, 18.0):
            yield Thing(models.house(rng, rng.uniform(9, 11.6)), 0, start + place, front, turned)
    if rng.random() < 0.7:
        yield Thing(models.bush(rng), 0, start + rng.uniform(2, 22), lot - math.copysign(0.9, lot))


def _parked(rng: np.random.Generator, block: int, start: float) -> Iterator[Thing]:
    for slot in range(_SLOTS):
        solids, shift, present = models.car(rng), rng.uniform(-0.5, 0.5), rng.random() < 0.45
        station = start + (slot + 0.5) * _BLOCK_M / _SLOTS + shift
        from_crossing = abs(station - street.CROSSING_EVERY_M * round(station / street.CROSSING_EVERY_M))
        if present and from_crossing > 5:
            yield Thing(solids, 1 + (block * _SLOTS + slot) % 20000, station, street.PARKING_M, math.pi)


def _generator(seed: int, stream: int, index: int) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(key=np.array([seed | stream << 32, index % 2**64], np.uint64)))

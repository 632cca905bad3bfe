"""The inertial and satellite unit of KITTI's car: where it was, and when."""

import math
import re
from collections.abc import Mapping
from dataclasses import astuple, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import numpy as np

from segprep.datasets.catalog._common.text_lines import read_lines
from segprep.datasets.errors import UnreadableFileError
from segprep.datasets.sample import Matrix

__all__ = ["EARTH_RADIUS_M", "OxtsPacket", "imu_pose", "mercator_scale", "read_oxts", "read_times"]

EARTH_RADIUS_M: Final = 6378137.0

_FIELDS: Final = 30
_STAMP: Final = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)(?:\.(\d{1,9}))?")


@dataclass(frozen=True, slots=True)
class OxtsPacket:
    """The first six numbers of a packet.

    Attributes:
        lat: Latitude in degrees.
        lon: Longitude in degrees.
        alt: Altitude in metres.
        roll: Radians; positive lifts the left side.
        pitch: Radians; positive lowers the front.
        yaw: Radians; 0 is east, positive turns to the left.
    """

    lat: float
    lon: float
    alt: float
    roll: float
    pitch: float
    yaw: float


def read_oxts(path: Path) -> OxtsPacket | None:
    """Read a packet; None if there is no such file or it tells no place.

    Raises:
        UnreadableFileError: If it is no packet.
    """
    lines = read_lines(path)
    if lines is None:
        return None
    if len(lines) != 1:
        raise UnreadableFileError(f"{path} holds {len(lines)} lines where one packet is expected: get it again")
    lat, lon, alt, roll, pitch, yaw, *_ = lines[0].numbers(_FIELDS)
    packet = OxtsPacket(lat, lon, alt, roll, pitch, yaw)
    if not all(map(math.isfinite, astuple(packet))):
        return None
    if abs(lat) >= 90:
        raise lines[0].unreadable(f"{lat} degrees are no latitude")
    return packet


def mercator_scale(packet: OxtsPacket) -> float:
    """Return the scale of the map: the cosine of a drive's first latitude, kept for the whole drive."""
    return math.cos(math.radians(packet.lat))


def imu_pose(packet: OxtsPacket, scale: float) -> Matrix:
    """Return (4, 4): the inertial unit's axes to a world of x east, y north, z up, in metres.

    With s the scale and r the earth's radius, x = s r lon, y = s r ln tan((90 + lat) / 2), z = alt, angles in radians,
    and R = Rz(yaw) Ry(pitch) Rx(roll): pykitti, after KITTI's development kit. One degree of longitude is 73.0 km at
    latitude 49.
    """
    (cr, sr), (cp, sp), (cy, sy) = ((math.cos(a), math.sin(a)) for a in (packet.roll, packet.pitch, packet.yaw))
    turned = np.array([[cy, -sy, 0], [sy, cy, 0], [0, 0, 1]])
    tilted = np.array([[cp, 0, sp], [0, 1, 0], [-sp, 0, cp]])
    rolled = np.array([[1, 0, 0], [0, cr, -sr], [0, sr, cr]])
    T = np.eye(4)
    T[:3, :3] = turned @ tilted @ rolled
    T[:3, 3] = (
        scale * EARTH_RADIUS_M * math.radians(packet.lon),
        scale * EARTH_RADIUS_M * math.log(math.tan(math.radians(90 + packet.lat) / 2)),
        packet.alt,
    )
    return T


def read_times(path: Path) -> Mapping[int, float] | None:
    """Read time stamps "2011-09-26 13:02:25.961661696"; None if there is no such file.

    Returns:
        Number of the frame, which is that of the line counted from 0, to seconds since the first stamp.

    Raises:
        UnreadableFileError: If a line is no time stamp.
    """
    lines = read_lines(path)
    if lines is None:
        return None
    stamps = {}
    for line in lines:
        match = _STAMP.fullmatch(line.text)
        if match is None:
            raise line.unreadable(f"{line.text[:40]!r} is no time such as 2011-09-26 13:02:25.961661696")
        try:
            seconds = datetime.fromisoformat(match[1]).replace(tzinfo=UTC).timestamp()
        except ValueError as error:
            raise line.unreadable(f"{line.text[:40]!r} is no time: {error}") from error
        stamps[line.number - 1] = int(seconds) * 1_000_000_000 + int((match[2] or "").ljust(9, "0"))
    first = next(iter(stamps.values()), 0)
    return {number: (stamp - first) / 1e9 for number, stamp in stamps.items()}

"""Where the microphones are, and when a plane wave reaches each of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from assistant.errors import ConfigError

SPEED_OF_SOUND_M_S = 343.0  # in air at 20 °C


@dataclass(frozen=True, slots=True, eq=False)
class Array:
    """Microphones in space.

    positions_m: float64, shape [channels, 3], metres from the array's origin: x to the right, y ahead, z up.
    """

    positions_m: NDArray[np.float64]

    @classmethod
    def of(cls, positions_m: Sequence[Sequence[float]]) -> Array:
        """From rows of two (in the plane) or three coordinates. Raises ConfigError when they are not that."""
        try:
            places = np.array(positions_m, dtype=np.float64)
        except ValueError:
            places = np.zeros(0)
        if places.ndim != 2 or places.shape[1] not in (2, 3) or len(places) < 1 or not np.isfinite(places).all():
            raise ConfigError(
                "the array's geometry is not a list of places",
                where="audio.array",
                remedy="give x, y and perhaps z in metres for each microphone",
            )
        if places.shape[1] == 2:
            places = np.column_stack((places, np.zeros(len(places))))
        return cls(places)

    @property
    def channels(self) -> int:
        """Number of microphones."""
        return len(self.positions_m)


# As the configuration files of ODAS place them (Grondin et al., "ODAS: Open embeddeD Audition System", 2022), turned so
# that the PS Eye looks ahead (+y).
KNOWN_ARRAYS: Mapping[str, Array] = MappingProxyType(
    {
        "respeaker_4_mic": Array.of([(-0.0405, 0.0), (0.0, 0.0405), (0.0405, 0.0), (0.0, -0.0405)]),
        "ps_eye": Array.of([(0.030, 0.0), (-0.010, 0.0), (0.010, 0.0), (-0.030, 0.0)]),
    }
)


def towards(azimuth_deg: float, elevation_deg: float = 0.0) -> NDArray[np.float64]:
    """Unit vector from the origin to a far source: azimuth from +x towards +y, elevation towards +z."""
    azimuth, elevation = np.deg2rad(azimuth_deg), np.deg2rad(elevation_deg)
    return np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])


def arrival_delays_s(array: Array, azimuth_deg: float, elevation_deg: float = 0.0) -> NDArray[np.float64]:
    """Seconds after the array's origin at which a plane wave reaches each microphone; negative if nearer, [channels].

    Van Trees, "Optimum Array Processing", 2002, equation 2.15.
    """
    return np.asarray(-(array.positions_m @ towards(azimuth_deg, elevation_deg)) / SPEED_OF_SOUND_M_S)

"""PortAudio as this process shares it: one list of devices, one lock, and the streams that a new list would tear down.

PortAudio lists only what could be opened when it was initialised. A device or server that came later appears after
`refresh`, which ends every open stream of the process: their owners are told first, and open again by name.
"""

from __future__ import annotations

import ctypes
import ctypes.util
import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Protocol

import numpy as np

from assistant.audio.devices import Device, Direction, find, stable_name
from assistant.errors import DeviceError, DeviceInUse

IN_USE = -9985  # paDeviceUnavailable
BAD_CHANNELS = -9998  # paInvalidChannelCount
BAD_RATE = -9997  # paInvalidSampleRate

log = logging.getLogger(__name__)


class Stream(Protocol):
    """What we use of sounddevice's streams."""

    @property
    def active(self) -> bool: ...

    @property
    def latency(self) -> float: ...

    def start(self) -> None: ...

    def abort(self) -> None: ...

    def close(self) -> None: ...


class Tenant(Protocol):
    """Owner of an open stream."""

    @property
    def busy(self) -> bool:
        """Whether somebody would hear it if the stream ended now."""
        ...

    def release(self) -> None:
        """Close the stream now, in whatever thread: the list of devices is made anew."""
        ...


class PortAudio:
    """The library, loaded when first used. `lock` is held around opening, closing and refreshing, by anyone."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._library: Any = None
        self._tenants: weakref.WeakSet[Any] = weakref.WeakSet()

    def devices(self) -> tuple[Device, ...]:
        """All devices in PortAudio's order. Raises DeviceError when the library is not installed."""
        with self.lock:
            library = self._load()
            systems = library.query_hostapis()
            default_input, default_output = (self._default(library, kind) for kind in ("input", "output"))
            return tuple(
                Device(
                    name=stable_name(each["name"]),
                    full_name=each["name"],
                    index=index,
                    inputs=each["max_input_channels"],
                    outputs=each["max_output_channels"],
                    rate_hz=round(each["default_samplerate"]),
                    default_input=index == default_input,
                    default_output=index == default_output,
                    system=systems[each["hostapi"]]["name"],
                )
                for index, each in enumerate(library.query_devices())
            )

    def find(self, name: str | None, direction: Direction) -> Device:
        """Return the device that `name` means; when it is not in the list, in a new list. Raises DeviceError."""
        with self.lock:
            try:
                return find(self.devices(), name, direction)
            except DeviceError:
                return self.find_anew(name, direction)

    def find_anew(self, name: str | None, direction: Direction) -> Device:
        """Return the device that `name` means in a new list, however many tenants lose their streams by it.

        Raises DeviceError when there is none, and while a tenant is busy: a reply is not cut off for a list.
        """
        with self.lock:
            if any(tenant.busy for tenant in self._tenants):
                raise DeviceError("the list of devices is not made anew while a reply is spoken", remedy="try again")
            self.refresh()
            return find(self.devices(), name, direction)

    def refresh(self) -> None:
        """Make the list of devices anew. Every tenant's stream is closed. Raises DeviceError when that fails."""
        with self.lock:
            library = self._load()
            for tenant in list(self._tenants):
                tenant.release()
            self._tenants.clear()
            try:
                # sounddevice documents both for this use; the first counts how often the second was called.
                if library._initialized:  # noqa: SLF001
                    library._terminate()  # noqa: SLF001
                library._initialize()  # noqa: SLF001
            except library.PortAudioError as error:
                raise DeviceError(
                    f"the sound system does not start ({error.args[0]})", remedy="check that the sound server runs"
                ) from error

    def open(
        self,
        direction: Direction,
        device: Device,
        tenant: Tenant,
        *,
        channels: int,
        rate_hz: int,
        block: int,
        latency: float | str,
        callback: Callable[..., None],
    ) -> Stream:
        """Open and start a stream; `callback` gets int16 [frames, channels] to read from or write into.

        Raises DeviceError: in use, or not with these settings.
        """
        with self.lock:
            library = self._load()
            kind = library.RawInputStream if direction is Direction.INPUT else library.RawOutputStream
            try:
                stream: Stream = kind(
                    device=device.index,
                    channels=channels,
                    samplerate=rate_hz,
                    blocksize=block,
                    dtype="int16",
                    latency=latency,
                    callback=_as_arrays(callback, channels),
                )
            except library.PortAudioError as error:
                raise why_not(error, device, direction, channels, rate_hz) from error
            try:
                stream.start()
            except library.PortAudioError as error:
                stream.close()
                raise why_not(error, device, direction, channels, rate_hz) from error
            self._tenants.add(tenant)
            return stream

    def close(self, stream: Stream, tenant: Tenant) -> None:
        """Stop and close a stream, lost or not."""
        with self.lock:
            self._tenants.discard(tenant)
            stream.abort()
            stream.close()

    @staticmethod
    def _default(library: Any, kind: str) -> int | None:
        try:
            return int(library.query_devices(kind=kind)["index"])
        except library.PortAudioError:  # there is none
            return None

    def _load(self) -> Any:
        if self._library is None:
            try:
                import sounddevice
            except OSError as error:
                raise DeviceError(
                    "the PortAudio library is not installed", remedy="install it: apt install libportaudio2"
                ) from error
            _quieten_alsa()
            self._library = sounddevice
        return self._library


PORTAUDIO = PortAudio()


def why_not(error: Exception, device: Device, direction: Direction, channels: int, rate_hz: int) -> DeviceError:
    """PortAudio's refusal to open `device`, as a line with a remedy."""
    code = error.args[1] if len(error.args) > 1 else None
    if code == IN_USE:
        return DeviceInUse(
            f"the {direction.value} is in use by another program",
            where=device.name,
            remedy="end that program, or name another device (`assistant devices` lists them)",
        )
    if code in (BAD_CHANNELS, BAD_RATE):
        return DeviceError(
            f"the {direction.value} does not do {channels} channels at {rate_hz} Hz",
            where=device.name,
            remedy=f"ask for at most {device.channels(direction)} channels, and {device.rate_hz} Hz",
        )
    return DeviceError(
        f"the {direction.value} cannot be opened ({error.args[0] if error.args else error})",
        where=device.name,
        remedy="check that it is plugged in and that the sound server runs",
    )


def _as_arrays(callback: Callable[..., None], channels: int) -> Callable[..., None]:
    """A callback over raw buffers that gives `callback` arrays.

    sounddevice would make them itself, in a way that numpy 2.5 warns of; where warnings are errors no sound would come.
    """

    def called(buffer: Any, count: int, time: Any, status: Any) -> None:
        callback(np.frombuffer(buffer, np.int16).reshape(-1, channels), count, time, status)

    return called


def _log_alsa(_file: bytes | None, _line: int, function: bytes | None, _code: int, form: bytes | None) -> None:
    log.debug("ALSA: %s: %s", (function or b"").decode(errors="replace"), (form or b"").decode(errors="replace"))


# Kept for as long as ALSA may call it. What follows the format, variadic, is left alone.
_ALSA_HANDLER = ctypes.CFUNCTYPE(None, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p)(
    _log_alsa
)


def _quieten_alsa() -> None:
    """Send ALSA's complaints about each device that it tries to the log instead of the user's terminal."""
    name = ctypes.util.find_library("asound")
    if name is not None:
        ctypes.CDLL(name).snd_lib_error_set_handler(_ALSA_HANDLER)

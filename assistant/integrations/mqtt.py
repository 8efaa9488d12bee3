"""The assistant on an MQTT broker: it tells what it understood, takes a few commands, and shows up in Home Assistant.

    bus ──events──► hermes ──messages──► outbox ──► publisher ──► broker
     ▲                                                             │
     └───────────────── commands ◄── receiver ◄────────────────────┘

What is decided lies beside: when to connect again (`connecting`), what to tell (`hermes`, `discovery`), what to obey
(`commands`) and what to keep while the broker is away (`outbox`). MQTT 5, so that the broker is told how long a message
is worth delivering, how large a packet we take, and that we want nothing that was kept from before.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.metadata
import logging
import random
import ssl
import uuid
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TYPE_CHECKING

import aiomqtt
from aiomqtt.exceptions import MqttConnectError
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from assistant.clock import Clock, SystemClock
from assistant.daemon.events import Said
from assistant.errors import AssistantError, ConfigError, StorageError
from assistant.integrations import commands, connecting, hermes
from assistant.integrations.discovery import OFFLINE, ONLINE, announcements, status_topic
from assistant.integrations.outbox import Message, OutboxFile, Queue, Waiting, admitted, fresh, without
from assistant.integrations.tasks import Tasks, first_to_end
from assistant.secret import check_secret, read_secret, secret_path
from assistant.trust import explained, trusting

if TYPE_CHECKING:
    from assistant.config.integrations import Mqtt as Settings
    from assistant.daemon.service import Bus

DISTRIBUTION = "assistant-voice"
PORT, TLS_PORT = 1883, 8883
LOOPBACK = ("localhost", "127.0.0.1", "::1")
KEEPALIVE_S = 20
"""A broker that is silent for one and a half times as long counts as gone."""
ACKNOWLEDGED_WITHIN_S = 10.0
LOOK_EVERY_S = 0.25
WRITTEN_AFTER_S = 1.0
"""A message that waits longer for its acknowledgement is written to the disk; most never are, which spares the card."""
MOST_PACKET_BYTES = 16 * 1024
"""The broker is told not to send larger packets."""
MOST_INCOMING = 64
"""Commands that wait to be looked at; more are dropped."""
FAREWELL_S = 0.5

MOST_SPEAKING = 64
"""Texts that wait to be said, whose end is to be told."""
REFUSALS = (1, 2, 4, 5, 128, 132, 133, 134, 135, 138, 140, 153, 157)
"""Reason codes of CONNACK that a person has to do something about (MQTT 3.1.1 §3.2.2.3, MQTT 5 §3.2.2.2)."""

log = logging.getLogger(__name__)
_QUIET = logging.getLogger(f"{__name__}.client")
_QUIET.setLevel(logging.CRITICAL)  # what it would say is said here, once


class Mqtt:
    """The integration. folder: where messages are kept while the broker is away."""

    name = "mqtt"

    def __init__(self, settings: Settings, folder: Path | None, clock: Clock | None = None) -> None:
        self._settings, self._folder, self._clock = settings, folder, clock or SystemClock()
        self._session = hermes.Session(settings.site, uuid.uuid4().hex[:12], settings.words)
        self._queue: Queue = ()
        self._kept: Queue = ()
        self._number = 0
        self._muted = False
        self._allowance = commands.Allowance(at=self._clock.monotonic())
        self._news = asyncio.Event()
        self._tasks = Tasks()
        self._file: OutboxFile | None = None
        self._client: aiomqtt.Client | None = None
        self._speaking: dict[str, commands.Speak] = {}
        self.link = connecting.Link()
        self.times_lost = 0
        self.sent = self._said = 0
        self.ignored: Counter[str] = Counter()

    async def start(self, bus: Bus) -> None:
        """Begin to connect; a broker that is away is waited for. Raises ConfigError for what cannot work at all."""
        self._password()
        context = self._tls()
        self._muted = bool(getattr(bus, "muted", False))
        if context is None and self._settings.password_file and self._settings.host not in LOOPBACK:
            log.warning("mqtt: mqtt.tls is off: who listens on the way to %s reads the password", self._settings.host)
        self._file = await asyncio.to_thread(OutboxFile, self._folder)
        self._kept = self._file.load()
        self._queue = fresh(self._kept, self._clock.wall(), self._settings.keep_s)
        self._number = max((waiting.number for waiting in self._queue), default=0)
        self.link = connecting.step(connecting.Link(), connecting.Start(self._clock.monotonic()))
        self._tasks.begin(self._listen_to(bus), self._look(), self._stay_connected(bus, context))

    async def wait(self) -> None:
        """Return when it has ended by itself, which only a bug can do."""
        await self._tasks.wait()

    async def stop(self) -> None:
        """Say goodbye to the broker and keep what it did not get."""
        client, self._client = self._client, None
        if client is not None:
            with contextlib.suppress(aiomqtt.MqttError, asyncio.TimeoutError):
                farewell = client.publish(status_topic(self._settings.site), OFFLINE, qos=1, retain=True)
                await asyncio.wait_for(farewell, FAREWELL_S)
        await self._tasks.end()
        self.link = connecting.step(self.link, connecting.Stop(self._clock.monotonic()))
        if self._file is not None:
            await self._keep(self._queue)
            self._file.close()
            self._file = None

    def status(self) -> str:
        """A few words for people."""
        where = f"{self._settings.host}:{self._port}"
        waiting = f", {len(self._queue)} messages wait" if self._queue else ""
        ignored = f", {sum(self.ignored.values())} commands ignored" if self.ignored else ""
        why = f" ({self.link.why})" if self.link.why else ""
        return f"{self.link.state.value} to {where}{why}{waiting}{ignored}"

    # -- telling -------------------------------------------------------------------------------------------------------

    async def _listen_to(self, bus: Bus) -> None:
        async with bus.subscribe(self.name) as events:
            async for event in events:
                if isinstance(event, Said) and (spoken := self._speaking.pop(event.mark, None)) is not None:
                    self._publish(hermes.say_finished(spoken, self._settings.site))
                self._muted = getattr(event, "muted", self._muted)
                self._session, messages = hermes.happened(self._session, event)
                self._publish(*messages)

    async def _look(self) -> None:
        """Time passes: for sessions, and for what waits."""
        while True:
            await asyncio.sleep(LOOK_EVERY_S)
            now = self._clock.wall()
            self._session, messages = hermes.looked(self._session, now)
            self._publish(*messages)
            self._queue = fresh(self._queue, now, self._settings.keep_s)
            away = self.link.state is not connecting.State.CONNECTED
            await self._keep(tuple(w for w in self._queue if away or now - w.at > WRITTEN_AFTER_S))

    def _publish(self, *messages: Message) -> None:
        now = self._clock.wall()
        for message in messages:
            self._number += 1
            self._queue = admitted(self._queue, Waiting(self._number, message, now), self._settings.keep_s)
        if messages:
            self._news.set()

    async def _keep(self, queue: Queue) -> None:
        """Write the queue down; a full disk is said once and costs nothing but what a crash would lose."""
        if self._file is None or queue == self._kept:
            return
        try:
            await asyncio.to_thread(self._file.save, queue)
            self._kept = queue
        except StorageError as error:
            if not self.ignored["the disk"]:
                log.warning("mqtt: what waits for the broker is not kept: %s", error)
            self.ignored["the disk"] += 1

    # -- the connection ------------------------------------------------------------------------------------------------

    async def _stay_connected(self, bus: Bus, context: ssl.SSLContext | None) -> None:
        while True:
            if self.link.state is connecting.State.WAITING:
                await asyncio.sleep(max(self.link.retry_at - self._clock.monotonic(), 0.0))
                self.link = connecting.step(self.link, connecting.Look(self._clock.monotonic()))
                continue
            try:
                await self._connected(bus, context)
            except (aiomqtt.MqttError, OSError, ConfigError) as error:
                self._lost(_in_words(error), refused=_is_refusal(error))
            else:
                self._lost("the connection ended", refused=False)

    def _lost(self, why: str, *, refused: bool) -> None:
        """The connection failed or ended; said once as long as the reason stays the same."""
        self.times_lost += self.link.state is connecting.State.CONNECTED
        if why != self.link.why:
            log.warning("mqtt: %s:%s: %s", self._settings.host, self._port, why)
        kind = connecting.Refused if refused else connecting.Failed
        self.link = connecting.step(self.link, kind(self._clock.monotonic(), why, random.random()))

    async def _connected(self, bus: Bus, context: ssl.SSLContext | None) -> None:
        """One connection, until it ends."""
        site = self._settings.site
        async with self._open(context) as client:
            for topic in commands.topics(site, self._settings.accept):
                fresh_only = SubscribeOptions(qos=1, noLocal=True, retainHandling=SubscribeOptions.RETAIN_DO_NOT_SEND)
                await client.subscribe(topic, options=fresh_only)
            if self._settings.discovery is not None:
                version = importlib.metadata.version(DISTRIBUTION)
                self._publish(*announcements(self._settings.discovery, site, self._settings.accept, version))
            self._publish(Message(f"assistant/{site}/listening", b"OFF" if self._muted else b"ON", retain=True))
            await client.publish(status_topic(site), ONLINE, qos=1, retain=True)
            self.link = connecting.step(self.link, connecting.Connected(self._clock.monotonic()))
            log.info("mqtt: connected to %s:%s", self._settings.host, self._port)
            self._client = client
            try:
                await first_to_end(self._send(client), self._receive(client, bus))
            finally:
                self._client = None

    @contextlib.asynccontextmanager
    async def _open(self, context: ssl.SSLContext | None) -> AsyncIterator[aiomqtt.Client]:
        connect = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
        connect.MaximumPacketSize = MOST_PACKET_BYTES
        client = aiomqtt.Client(
            str(self._settings.host),
            self._port,
            username=self._settings.username,
            password=self._password(),
            identifier=f"assistant-{self._settings.site}-{self._session.nonce}",
            protocol=aiomqtt.ProtocolVersion.V5,
            will=aiomqtt.Will(status_topic(self._settings.site), OFFLINE, qos=1, retain=True),
            keepalive=KEEPALIVE_S,
            clean_start=True,
            timeout=ACKNOWLEDGED_WITHIN_S,
            max_queued_incoming_messages=MOST_INCOMING,
            properties=connect,
            tls_context=context,
            logger=_QUIET,
        )
        try:
            async with client:
                yield client
        finally:
            await asyncio.sleep(0)  # let the transport's last callback run before the loop may end
            _forget(client)

    async def _send(self, client: aiomqtt.Client) -> None:
        """Publish what waits, in order, each until it is acknowledged."""
        while True:
            self._queue = fresh(self._queue, self._clock.wall(), self._settings.keep_s)
            if not self._queue:
                self._news.clear()
                await self._news.wait()
                continue
            waiting = self._queue[0]
            message = waiting.message
            await client.publish(
                message.topic, message.payload, qos=1, retain=message.retain, properties=self._worth(waiting)
            )
            self._queue = without(self._queue, [waiting.number])
            self.sent += 1

    def _worth(self, waiting: Waiting) -> Properties:
        """How long the broker may keep a message for somebody who is away."""
        properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
        if not waiting.message.retain:
            left = self._settings.keep_s - (self._clock.wall() - waiting.at)
            properties.MessageExpiryInterval = max(int(left), 1)
        return properties

    # -- obeying -------------------------------------------------------------------------------------------------------

    async def _receive(self, client: aiomqtt.Client, bus: Bus) -> None:
        settings = self._settings
        async for message in client.messages:
            payload = message.payload if isinstance(message.payload, bytes) else str(message.payload).encode()
            topic = str(message.topic)
            command = commands.read(topic, payload, settings.site, settings.accept, retained=message.retain)
            if isinstance(command, commands.Ignored):
                self._ignore(topic, command.why)
                continue
            self._allowance, allowed = commands.spend(self._allowance, self._clock.monotonic())
            if not allowed:
                self._ignore(topic, "too many commands")
                continue
            try:
                await self._obey(command, bus)
            except AssistantError as error:
                self._ignore(topic, error.what)

    async def _obey(self, command: commands.Command, bus: Bus) -> None:
        if isinstance(command, commands.Speak):
            await self._speak(command, bus)
        elif isinstance(command, commands.Listen):
            if command.text:
                await bus.speak(command.text)
            await bus.listen()
        elif isinstance(command, commands.Mute):
            await bus.mute(muted=command.muted)
        elif isinstance(command, commands.Query):
            self._publish(hermes.answer(command, await bus.understand(command.text), self._settings.site))
        else:
            await bus.say(command.text, self.name)

    async def _speak(self, command: commands.Speak, bus: Bus) -> None:
        """Say it, and remember who is to be told when it has been said; of too many, the oldest is not."""
        self._said += 1
        mark = f"{self.name}-{self._said}" if command.told else ""
        if mark:
            self._speaking[mark] = command
            while len(self._speaking) > MOST_SPEAKING:
                self._speaking.pop(next(iter(self._speaking)))
        await bus.speak(command.text, mark)

    def _ignore(self, topic: str, why: str) -> None:
        """Count what is not obeyed; each reason is logged once, never the payload."""
        if not why:
            return
        if not self.ignored[why]:
            log.warning("mqtt: a command on %s is ignored: %s", topic, why)
        self.ignored[why] += 1

    # -- what is configured --------------------------------------------------------------------------------------------

    @property
    def _port(self) -> int:
        return self._settings.port or (TLS_PORT if self._settings.tls else PORT)

    def _password(self) -> str | None:
        """Read anew for each connection, so that a changed password needs no restart. Raises ConfigError."""
        file = self._settings.password_file
        return read_secret(file, "mqtt.password_file") if file else None

    def _tls(self) -> ssl.SSLContext | None:
        """What the broker's certificate is checked against. Raises ConfigError."""
        settings = self._settings
        if not settings.tls:
            return None
        context = trusting("mqtt.ca_file", settings.ca_file)
        if settings.cert_file:
            key = secret_path(settings.key_file or settings.cert_file)
            check_secret(key, "mqtt.key_file" if settings.key_file else "mqtt.cert_file")
            with explained("mqtt.cert_file", settings.cert_file):
                context.load_cert_chain(settings.cert_file, key)
        return context


def _is_refusal(error: BaseException) -> bool:
    """Whether it takes a person to mend it: a password, a certificate, a file."""
    if isinstance(error, MqttConnectError):
        code = error.rc.value if isinstance(error.rc, ReasonCode) else error.rc
        return code in REFUSALS
    return isinstance(error, ConfigError) or isinstance(error.__context__, ssl.SSLError)


def _in_words(error: BaseException) -> str:
    cause = error.__context__
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"the broker's certificate is not to be trusted: {cause.verify_message}"
    if isinstance(cause, ssl.SSLError):
        return f"no encrypted connection: {cause.reason or cause}"
    if isinstance(error, MqttConnectError):
        return f"the broker refuses: {error.rc}"
    return str(error) or type(error).__name__


def _forget(client: aiomqtt.Client) -> None:
    """Take note of how the connection ends, now or later, which is told already: else asyncio logs it as never seen."""
    ended = getattr(client, "_disconnected", None)
    if isinstance(ended, asyncio.Future):
        ended.add_done_callback(lambda future: future.cancelled() or future.exception())

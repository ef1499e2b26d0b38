# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations with the judge: this event in, these effects out. Time is a number that the test moves."""

from itertools import count, pairwise

from smartrouter.core.effects import Attempt, Effect, Kind, Raise, Record, Verdict
from smartrouter.core.events import (
    TCP,
    UDP,
    Alias,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    LearningFinished,
    Moment,
    Query,
    Question,
    Reply,
    Scope,
    SettingsChanged,
    Tick,
    Told,
)
from smartrouter.core.judge import Judge
from smartrouter.core.policy import DeviceSettings, LearningPlan, Mode, Settings, Watching

CAMERA = "3c:2e:ff:29:4d:93"
PLUG = "50:c7:bf:00:fc:a3"
CAMERA_ADDRESS = "192.168.77.20"
ROUTER = "192.168.77.1"
WALL_START = 1_790_000_000.0
A, AAAA = 1, 28


def watched(*macs: str, **of_each: object) -> dict[str, DeviceSettings]:
    """Devices that are always watched."""
    return {mac: DeviceSettings(mac, watch=Watching.ALWAYS, **of_each) for mac in macs}  # type: ignore[arg-type]


class Conversation:
    """A judge with a clock. `learning`: seconds of a fixed learning period."""

    def __init__(self, *, learning: float = 3600.0, **settings: object) -> None:
        defaults: dict[str, object] = {
            "learning": LearningPlan(auto=False, period=learning),
            "devices": watched(CAMERA, PLUG),
        }
        self.settings = Settings(**(defaults | settings))  # type: ignore[arg-type]
        self.judge = Judge(self.settings)
        self.running = 1000.0
        self._numbers = count(1)

    @property
    def now(self) -> Moment:
        return Moment(self.running, WALL_START + self.running)

    def tell(self, event: Event) -> list[Effect]:
        return self.judge.handle(event, self.now)

    def configure(self, **changes: object) -> list[Effect]:
        self.settings = self.settings._replace(**changes)  # type: ignore[arg-type]
        return self.tell(SettingsChanged(self.settings))

    def wait(self, seconds: float) -> list[Effect]:
        """Let time pass, with a tick at the start and at the end."""
        effects = self.tell(Tick())
        self.running += seconds
        return effects + self.tell(Tick())

    def protect(self, mac: str = CAMERA) -> None:
        """End the learning of `mac`."""
        self.tell(LearningFinished(mac))

    def ask(
        self,
        name: str,
        *,
        mac: str = CAMERA,
        client: str = CAMERA_ADDRESS,
        resolver: str = ROUTER,
        port: int = 40000,
        ident: int = 7,
        type: int = A,  # noqa: A002 - DNS calls it so
        protocol: int = UDP,
        scope: Scope | None = None,
    ) -> list[Effect]:
        where = scope or (Scope.ROUTER if resolver == ROUTER else Scope.OUTSIDE)
        query = Query(ident, Question(name, type, 1))
        return self.tell(DnsAsked(mac, client, port, resolver, protocol, query, where))

    def answer(
        self,
        name: str,
        *addresses: str,
        aliases: tuple[str, ...] = (),
        client: str = CAMERA_ADDRESS,
        resolver: str = ROUTER,
        port: int = 40000,
        ident: int = 7,
        type: int = A,  # noqa: A002
        protocol: int = UDP,
        ttl: int = 300,
        rcode: int = 0,
    ) -> list[Effect]:
        owners = (name, *aliases)
        reply = Reply(
            ident,
            0,
            rcode,
            False,
            (Question(name, type, 1),),
            tuple(Alias(owner, target, ttl) for owner, target in pairwise(owners)),
            tuple(Told(owners[-1], address, ttl) for address in addresses),
        )
        return self.tell(DnsAnswered(client, port, resolver, protocol, reply))

    def resolve(self, name: str, *addresses: str, **how: object) -> None:
        """The device asks for `name` and is told `addresses`."""
        mac = how.pop("mac", CAMERA)
        shared = {k: v for k, v in how.items() if k not in ("ttl", "aliases", "rcode")}
        answering = {k: v for k, v in how.items() if k != "scope"}
        self.ask(name, mac=mac, **shared)  # type: ignore[arg-type]
        self.answer(name, *addresses, **answering)  # type: ignore[arg-type]

    def connect(
        self,
        address: str,
        port: int = 443,
        *,
        mac: str = CAMERA,
        protocol: int = TCP,
        scope: Scope = Scope.OUTSIDE,
        source: str = CAMERA_ADDRESS,
    ) -> list[Effect]:
        """A new connection, told from every other by its source port and sequence number."""
        number = next(self._numbers)
        return self.tell(
            FlowOpened(
                mac,
                source,
                address,
                protocol,
                20000 + number % 40000,
                port,
                number if protocol == TCP else 0,
                scope,
            )
        )


def verdict(effects: list[Effect]) -> Verdict:
    """The one verdict among `effects`."""
    (found,) = [effect for effect in effects if isinstance(effect, Verdict)]
    return found


def recorded(effects: list[Effect]) -> Attempt:
    """The one recorded attempt among `effects`."""
    (found,) = [effect.attempt for effect in effects if isinstance(effect, Record)]
    return found


def alerts(effects: list[Effect]) -> list[tuple[Kind, str, str, bool]]:
    """What is raised: (kind, destination, service, blocked)."""
    return [
        (e.alert.kind, e.alert.destination, e.alert.service, e.alert.blocked)
        for e in effects
        if isinstance(e, Raise)
    ]


ENFORCE = Mode.ENFORCE

# SPDX-License-Identifier: GPL-2.0-or-later
"""Conversations with the judge: this event in, these effects out. Time is a number that the test moves."""

from itertools import count, pairwise

from smartrouter.core.effects import (
    Alert,
    Attempt,
    Effect,
    Flow,
    Inspect,
    Kind,
    LookUp,
    Raise,
    Record,
    Verdict,
    Withdraw,
)
from smartrouter.core.events import (
    TCP,
    UDP,
    AddressClaimed,
    Alias,
    DeviceSeen,
    DnsAnswered,
    DnsAsked,
    Event,
    FlowOpened,
    HelloHeard,
    LearningFinished,
    LookedUp,
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
        spoofed: bool = False,
        opens: bool = True,
        asks_time: bool = False,
    ) -> list[Effect]:
        """A new connection, told from every other by its source port and sequence number."""
        number = next(self._numbers)
        sequence = number if protocol == TCP else 0
        return self.tell(
            FlowOpened(
                mac, source, address, protocol, 20000 + number % 40000, port, sequence, scope, spoofed, opens,
                asks_time,
            )
        )  # fmt: skip

    def hello(self, flow: Flow, name: str, *, mac: str = CAMERA, encrypted: bool = False) -> list[Effect]:
        """The first data of `flow` is there, and names the server."""
        return self.tell(HelloHeard(mac, *flow, name, encrypted))

    def look_up(self, name: str, *addresses: str, ttl: int = 300) -> list[Effect]:
        """The router's own lookup of `name` has given `addresses`."""
        return self.tell(LookedUp(name, addresses, ttl))

    def claims(self, address: str, *, mac: str = CAMERA) -> list[Effect]:
        """The network says that `mac` has `address`."""
        return self.tell(AddressClaimed(mac, address))

    def made_by(self, maker: str, *macs: str) -> None:
        """Discovery says who made these devices."""
        for mac in macs:
            self.tell(DeviceSeen(mac, True, False, "", maker))

    def learn(self, name: str, address: str, port: int = 443, *, mac: str = CAMERA) -> None:
        """The device is told `name`, and uses it; to be called while it learns."""
        self.resolve(name, address, mac=mac)
        self.connect(address, port, mac=mac)


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


def raised(effects: list[Effect]) -> list[Alert]:
    """The alerts among `effects`."""
    return [effect.alert for effect in effects if isinstance(effect, Raise)]


def inspected(effects: list[Effect]) -> list[tuple[Flow, bool]]:
    """The connections whose first data is to be inspected, and whether it is held meanwhile."""
    return [(effect.flow, effect.held) for effect in effects if isinstance(effect, Inspect)]


def looked_up(effects: list[Effect]) -> list[str]:
    """The names that the router is to look up."""
    return [effect.name for effect in effects if isinstance(effect, LookUp)]


class Log:
    """What is left of all alerts, as a list of them is kept: by key, and without what was withdrawn."""

    def __init__(self) -> None:
        self.entries: dict[tuple[str, str, str, str], list[Alert]] = {}

    def take(self, effects: list[Effect]) -> None:
        for effect in effects:
            match effect:
                case Raise():
                    self.entries.setdefault(effect.alert.key, []).append(effect.alert)
                case Withdraw():
                    self.entries.pop(effect.key, None)
                case _:
                    pass

    def of(self, kind: Kind) -> list[list[Alert]]:
        """The occurrences of each alert of this kind."""
        return [each for each in self.entries.values() if each[0].kind is kind]


ENFORCE = Mode.ENFORCE

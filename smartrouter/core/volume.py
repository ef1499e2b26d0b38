# SPDX-License-Identifier: GPL-2.0-or-later
"""What devices send and receive: by which name it is kept, and which upload is worth an alert.

Decides no verdict. What goes to a destination that the user has allowed is nobody's news; of what comes over
connections from outside, only the sums are kept: no rule here could decide about it.
"""

from smartrouter.core import notes
from smartrouter.core.destinations import Destination, service_of
from smartrouter.core.effects import AddVolume, Alert, Effect, KeepUsual, Kind, Raise
from smartrouter.core.events import Carried, Moment, Transfer
from smartrouter.core.familiarity import learned
from smartrouter.core.naming import Naming
from smartrouter.core.policy import Action, Attempted, Reason, destination_of, ruling
from smartrouter.core.roster import Device, Roster
from smartrouter.core.uploads import OTHERS, Excess

HOUR = 3600.0
INCOMING = "(incoming)"  # stands for whoever has connected to the device; no name looks like that


class Volume:
    """See the module."""

    def __init__(self, roster: Roster, naming: Naming):
        self._roster = roster
        self._naming = naming

    def carried(self, event: Carried, now: Moment) -> list[Effect]:
        """The kernel has counted something."""
        effects: list[Effect] = []
        for transfer in event.transfers:
            device = self._roster.devices.get(transfer.mac)
            if device is not None and device.watched:
                effects += self.hour_over(device, now)
                effects += self._carried(device, transfer, now)
        return effects

    def hour_over(self, device: Device, now: Moment) -> list[Effect]:
        """What was usual in the hour before, if that is over."""
        changed = device.uploads.closed(int(now.running // HOUR))
        return [KeepUsual(device.mac, destination, usual) for destination, usual in changed.items()]

    def _carried(self, device: Device, transfer: Transfer, now: Moment) -> list[Effect]:
        _, address, protocol, port, inbound, *figures = transfer
        service = service_of(protocol, port)
        if inbound:
            return [AddVolume(device.mac, _hour(now), Destination(INCOMING, service), *figures)]
        called = self._naming.called(device, address, now.running)
        attempted = Attempted(address, service, called)
        destination = device.uploads.place(destination_of(attempted))
        effects: list[Effect] = [AddVolume(device.mac, _hour(now), destination, *figures)]
        if destination.name == OTHERS:
            return effects
        excess = device.uploads.sent(
            destination,
            transfer.bytes_out,
            learning=device.standing.learning,
            known=learned(device.learning, attempted) is not None,
        )
        if excess is not None and ruling(device.rules, attempted, now.wall) is not Action.ALLOW:
            effects.append(Raise(self._alert(device, transfer, destination, excess, now)))
        return effects

    def _alert(
        self, device: Device, transfer: Transfer, destination: Destination, excess: Excess, now: Moment
    ) -> Alert:
        name, evidence = self._naming.label(device, transfer.address, now.running)
        about = notes.about_device(
            device.mac, Kind.UPLOAD, Reason.UPLOAD, now, destination=destination.name,
            address=transfer.address, detail=_described(excess),
        )  # fmt: skip
        return about._replace(
            service=destination.service,
            name=name,
            evidence=evidence,
            port=transfer.port,
            protocol=transfer.protocol,
        )


def _hour(now: Moment) -> int:
    return int(now.wall // HOUR)


def _described(excess: Excess) -> str:
    sent = f"{_megabytes(excess.sent)} within an hour"
    if excess.usual is None:
        return f"{sent}, and it has not learned to send anything there"
    return f"{sent}, {_megabytes(excess.usual.most)} at most in an hour before"


def _megabytes(size: int) -> str:
    return f"{size / 1e6:.1f} MB" if size < 1e8 else f"{size / 1e6:.0f} MB"

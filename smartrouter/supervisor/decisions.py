# SPDX-License-Identifier: GPL-2.0-or-later
"""What is written into the configuration when somebody answers an alert on a channel. Knows no process."""

from collections.abc import Callable

from smartrouter.supervisor.relay import ALLOW_HOUR, MUTE, Decision

HOUR, DAY = 3600.0, 86400.0
SLACK = 3.0  # seconds until a rule ends that was used: it must not have ended when others first hear of that


def writer(decision: Decision, at: float) -> Callable[[str], None]:
    """What writes `decision`, made `at` that time (epoch seconds), into the file at a path."""

    def write(path: str) -> None:
        from smartrouter.config.changes import add_rule, make_rule, set_mute

        answer, device, destination, service, by = decision
        if answer == MUTE:
            set_mute(path, device, at + DAY, by)
            return
        until = at + HOUR if answer == ALLOW_HOUR else None
        add_rule(path, make_rule("allow", device, destination, service, until=until, by=by, at=at))

    return write


def ender(device: str, destination: str, service: str, at: float) -> Callable[[str], None]:
    """What writes that a rule for one connection is over, `at` that time."""

    def write(path: str) -> None:
        from smartrouter.config.changes import end_rule

        end_rule(path, device, destination, service, at + SLACK)

    return write


def switcher(device: str, mode: str) -> Callable[[str], None]:
    """What writes the mode of a device into the file at a path."""

    def write(path: str) -> None:
        from smartrouter.config.changes import set_mode

        set_mode(path, mode, device)

    return write

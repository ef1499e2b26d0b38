# SPDX-License-Identifier: GPL-2.0-or-later
"""Which commands and options there are, what each is for, and which function does it.

Imports none of those functions. `docs/commands.md` is generated from this tree.
"""

import argparse
import os
import sys
from typing import Any, NamedTuple

from smartrouter import __version__
from smartrouter.core.errors import SmartrouterError

CONFIG = "/etc/config/smartrouter"
RUN_DIR = "/run/smartrouter" if os.path.isdir("/run") else "/var/run/smartrouter"  # OpenWrt's, of old
RUN_DIR_VARIABLE = "SMARTROUTER_RUN_DIR"
BY_VARIABLE = "SMARTROUTER_BY"  # who decides, where a program types for a person: `luci:root`
_DEVICE = "a MAC, the name that you gave a device, or its host name"
_DEVICES = f"{_DEVICE}; * for all devices"
_DURATION = "90s, 30m, 1h, 2d …"


ONCE = "1h"  # how long `allow --once` waits for its connection,
TRY = "2m"  # and how long `deny --once` lasts


class BadUsage(SmartrouterError):
    """The arguments contradict each other, in a way that the tree does not say."""


class Does(NamedTuple):
    """Where the function is that carries a command out: it takes the parsed arguments, gives the status."""

    module: str
    function: str = "main"


def parser() -> argparse.ArgumentParser:
    """The whole tree of commands."""
    root = argparse.ArgumentParser(
        prog="smartrouter",
        description="Learns what each IoT device needs on the Internet; reports, or blocks, all else.",
        epilog="`smartrouter COMMAND --help` says more about a command.",
        allow_abbrev=False,
    )
    root.add_argument("--version", action="version", version=f"smartrouter {__version__}")
    root.add_argument("--reference", action=_Reference, nargs=0, help=argparse.SUPPRESS)
    commands = _Commands(root)
    _add_listings(commands)
    _add_decisions(commands)
    _add_tools(commands)
    _add_daemons(commands)
    return root


class _Reference(argparse.Action):
    """Prints the reference, for docs/."""

    def __call__(self, *_: Any, **__: Any) -> None:
        from smartrouter.cli.reference import render

        sys.stdout.write(render(parser()))
        raise SystemExit(0)


class _Commands:
    """The commands under `root`, as they are added."""

    def __init__(self, root: argparse.ArgumentParser):
        self._added = root.add_subparsers(metavar="COMMAND", required=True)

    def add(
        self,
        name: str,
        does: Does,
        text: str,
        more: str = "",
        *,
        files: bool = True,
        json: bool = False,
    ) -> argparse.ArgumentParser:
        """`text`: one line; `more`: what else there is to say. `files`: has --config and --run-dir."""
        command = self._added.add_parser(
            name,
            help=text,
            description=f"{text} {more}".strip(),
            allow_abbrev=False,
            formatter_class=_Formatter,
        )
        command.set_defaults(does=does)
        if json:
            command.add_argument("--json", action="store_true", help="print JSON")
        if files:
            command.add_argument(
                "--config", metavar="PATH", default=CONFIG, help=f"configuration; usually {CONFIG}"
            )
            command.add_argument(
                "--run-dir",
                metavar="DIR",
                default=os.environ.get(RUN_DIR_VARIABLE, RUN_DIR),
                help=f"where the control socket is; usually {RUN_DIR}, or what ${RUN_DIR_VARIABLE} says",
            )
        return command


class _Formatter(argparse.HelpFormatter):
    def __init__(self, prog: str):
        super().__init__(prog, max_help_position=30)


def _add_listings(commands: _Commands) -> None:
    of_devices, of_alerts = "smartrouter.cli.devices", "smartrouter.cli.alerts"
    commands.add(
        "status",
        Does("smartrouter.cli.status"),
        "Is it working, what is it doing, what needs you?",
        json=True,
    )
    devices = commands.add(
        "devices", Does(of_devices, "devices"), "List the devices of the network.", json=True
    )
    _add_part(devices)
    device = commands.add(
        "device",
        Does(of_devices, "device"),
        "Show one device: what it needs, and what it did lately.",
        json=True,
    )
    device.add_argument("device", metavar="DEVICE", help=_DEVICE)
    alerts = commands.add(
        "alerts", Does(of_alerts, "listing"), "List what was reported and waits for you.",
        "With the number of an alert the same as `alert`.", json=True,
    )  # fmt: skip
    alerts.add_argument("id", metavar="ID", nargs="?", type=_positive, help="the number of an alert")
    alerts.add_argument("--all", action="store_true", help="those too that were decided about")
    alerts.add_argument(
        "--kind", metavar="KIND", action="append", type=_kind, help="only of this kind; may be repeated"
    )
    alerts.add_argument(
        "--severity", choices=("notice", "warning", "critical"), help="only those as loud as this, or louder"
    )
    alerts.add_argument(
        "--follow", action="store_true",
        help="those that come from now on, and what becomes of them, a line each, until it is interrupted",
    )  # fmt: skip
    _add_part(alerts)
    alerts.set_defaults(dismiss=False, pcap=None, force=False)
    alert = commands.add(
        "alert", Does(of_alerts, "single"), "Show one alert: why it was raised, what it may be, what to do.",
        "docs/alerts.md explains every kind.", json=True,
    )  # fmt: skip
    alert.add_argument("id", metavar="ID", type=_positive, help="the number of an alert")
    alert.add_argument("--dismiss", action="store_true", help="you have seen it: report it no more")
    alert.add_argument("--pcap", metavar="FILE", help="write the packets behind it into this capture file")
    alert.add_argument("--force", action="store_true", help="with --pcap: write over a file that is there")
    digest = commands.add(
        "digest", Does("smartrouter.cli.digest"), "What each device did yesterday, or last week, in a line.",
        "Days and weeks (from Monday on) are those of the local calendar that have ended.", json=True,
    )  # fmt: skip
    digest.add_argument("device", metavar="DEVICE", nargs="?", help=f"only this one: {_DEVICE}")
    digest.add_argument("--week", action="store_true", help="of the last whole week instead")

    notify = commands.add(
        "notify", Does("smartrouter.cli.notify"), "Show where alerts are sent, and how each channel does.",
        "`smartrouter notify test` sends a sample through each, or through one, and says what went wrong; "
        "exit status 1 if anything did. docs/notifications.md explains the channels.", json=True,
    )  # fmt: skip
    notify.add_argument("what", nargs="?", choices=("test",), help="send a sample")
    notify.add_argument(
        "channel", metavar="CHANNEL", nargs="?", help="through this one only, by the name that `notify` shows"
    )


def _add_part(command: argparse.ArgumentParser) -> None:
    """Of a long list only a part, for whoever cannot take it whole."""
    command.add_argument("--limit", metavar="N", type=_positive, help="only so many of them")
    command.add_argument(
        "--skip", metavar="N", type=_natural, default=0, help="without so many at the beginning"
    )


def _add_decisions(commands: _Commands) -> None:
    decisions = "smartrouter.cli.decisions"
    for name, text in (
        ("allow", "Allow a device a destination, for good or for a time."),
        (
            "deny",
            "Deny a device a destination, for good or for a time; a denied one is blocked in every mode.",
        ),
    ):
        command = commands.add(
            name, Does(decisions, name), text,
            f"`smartrouter {name} 12` takes device, destination and service from alert 12.", json=True,
        )  # fmt: skip
        command.add_argument("device", metavar="DEVICE", help=f"{_DEVICES}; or the number of an alert")
        command.add_argument(
            "destination", metavar="DESTINATION", nargs="?",
            help="a name, *.name for all names below it, an address, or a network",
        )  # fmt: skip
        command.add_argument(
            "--service",
            metavar="SERVICE",
            default="",
            help="only this one: web, tcp/8883, icmp …; usually any",
        )
        time = command.add_mutually_exclusive_group()
        time.add_argument(
            "--for", dest="duration", metavar="TIME", help=f"how long: {_DURATION}; usually for good"
        )
        if name == "allow":
            time.add_argument(
                "--once",
                action="store_true",
                help=f"the next connection, if it comes within {ONCE}, and no more",
            )
        else:
            time.add_argument(
                "--once", dest="duration", action="store_const", const=TRY,
                help=f"for {TRY} only: time enough to see what that does",
            )  # fmt: skip
        command.add_argument(
            "--exact", action="store_true",
            help="of an alert: the exact name alone; usually its whole domain",
        )  # fmt: skip
        command.add_argument(
            "--all-devices", action="store_true", help="of an alert: for every device, not just this one"
        )
    forget = commands.add(
        "forget",
        Does(decisions, "forget"),
        "Take back what a device has learned.",
        "Rules stay as they are.",
        json=True,
    )
    forget.add_argument("device", metavar="DEVICE", help=_DEVICE)
    forget.add_argument(
        "destination", metavar="DESTINATION", nargs="?", help="a name or an address as `device` shows it"
    )
    forget.add_argument("--service", metavar="SERVICE", default="", help="only for this service; usually any")
    forget.add_argument("--all", action="store_true", help="everything that it has learned")
    learn = commands.add(
        "learn", Does(decisions, "learn"), "Have a device learn (again), or end its learning.",
        "What it has learned before is kept.", json=True,
    )  # fmt: skip
    learn.add_argument("device", metavar="DEVICE", help=_DEVICE)
    learn.add_argument("--finish", action="store_true", help="it has learned enough: protect it from now on")
    same = commands.add(
        "same", Does(decisions, "same"), "Say that a device is one that had another MAC before.",
        "It takes over that one's name, settings, rules and all that was learned. `smartrouter devices` says "
        "where this is probably so; it is never assumed.", json=True,
    )  # fmt: skip
    same.add_argument("device", metavar="DEVICE", help=f"as it is now: {_DEVICE}")
    same.add_argument(
        "before", metavar="BEFORE", nargs="?", help="as it was; usually the one that it probably is"
    )
    watch = commands.add(
        "watch", Does(decisions, "watch"),
        "Have a device watched or left alone, whatever kind it seems to be.",
        "Your word stands above what smartrouter finds out.", json=True,
    )  # fmt: skip
    watch.add_argument("device", metavar="DEVICE", help=_DEVICE)
    watch.add_argument(
        "watch", choices=("always", "never", "auto"), help="auto goes by what kind of device it seems to be"
    )
    mode = commands.add(
        "mode", Does(decisions, "mode"), "Choose what happens to what is not known: report or block it.",
        "Before blocking, shows what that concerns, and asks where there is a terminal.", json=True,
    )  # fmt: skip
    mode.add_argument(
        "mode", choices=("monitor", "enforce"), help="monitor reports, enforce blocks and reports"
    )
    mode.add_argument(
        "device", metavar="DEVICE", nargs="?", help="only this device; usually all that have no own mode"
    )
    mode.add_argument("--yes", action="store_true", help="do not ask")
    mode.add_argument(
        "--for", dest="duration", metavar="TIME",
        help="on trial, for an hour at most: after that, the mode of before is back unless you choose this "
        "one again",
    )  # fmt: skip
    mute = commands.add(
        "mute", Does(decisions, "mute"), "Send nothing of a device for a time; its alerts are kept.",
        json=True,
    )  # fmt: skip
    mute.add_argument("device", metavar="DEVICE", help=_DEVICE)
    mute.add_argument("duration", metavar="TIME", nargs="?", help=f"how long: {_DURATION}")
    mute.add_argument("--end", action="store_true", help="send of it again")
    pause = commands.add(
        "pause",
        Does(decisions, "pause"),
        "Suspend blocking for a time; what a rule denies stays blocked.",
        json=True,
    )
    pause.add_argument("duration", metavar="TIME", nargs="?", help=f"how long: {_DURATION}")
    pause.add_argument("--end", action="store_true", help="end a pause now")


def _add_tools(commands: _Commands) -> None:
    replay = commands.add(
        "replay", Does("smartrouter.replay"), "What smartrouter would have said about captured traffic.",
        "Several files are one network's trace, in time order.", files=False, json=True,
    )  # fmt: skip
    _add_replaying(replay)
    replay.add_argument("--mode", choices=("monitor", "enforce"), default="monitor", help="usually monitor")
    replay.add_argument(
        "--known", metavar="NAME[=SERVICE]", action="append", default=[],
        help="a name group or an address that devices have learned before, usually for web; may be repeated",
    )  # fmt: skip
    replay.add_argument(
        "--unnamed-tls", choices=("block", "hello"), default="block",
        help="whether what would be blocked for want of a name is judged by its hello; usually block",
    )  # fmt: skip
    evaluate = commands.add(
        "evaluate", Does("smartrouter.evaluate"), "How good naming and detection are on captured traffic.",
        "Several files are one network's trace, in time order. docs/evaluation.md explains the figures.",
        files=False, json=True,
    )  # fmt: skip
    _add_replaying(evaluate)
    evaluate.add_argument(
        "--labels", metavar="FILE",
        help="what is known of the traffic: devices' names, when an attack began, who the attackers are",
    )  # fmt: skip
    evaluate.add_argument("--markdown", action="store_true", help="print the tables as Markdown")
    evaluate.set_defaults(mode="monitor", known=[], unnamed_tls="block")
    classify = commands.add(
        "classify", Does("smartrouter.cli.classify"), "Tell IoT devices among DHCP clients, and say why.",
        "Reads JSON lines and answers each with one, at once. A line that is none is told of on "
        "standard error, and makes the exit status 1; the others are answered. docs/classification.md "
        "explains the answers.",
        files=False,
    )  # fmt: skip
    classify.add_argument("files", metavar="FILE", nargs="*", help="what to read; - or none: standard input")
    commands.add(
        "metrics",
        Does("smartrouter.cli.metrics"),
        "Print what smartrouter measures of itself, for Prometheus.",
        "In the text format 0.0.4, as a collector of text files reads it. docs/metrics.md lists the metrics.",
    )
    commands.add(
        "doctor", Does("smartrouter.cli.doctor"), "What this system can do, what is wrong, how to mend it.",
        "Exit status 1 if something keeps smartrouter from working.", json=True,
    )  # fmt: skip
    demo = commands.add(
        "demo", Does("smartrouter.cli", "demo"), "Show it all on a simulated network, in about a minute.",
        "Needs root; touches nothing outside the network namespaces that it makes.", files=False,
    )  # fmt: skip
    demo.add_argument("--quick", action="store_true", help="no pauses for reading, a shorter learning period")
    demo.add_argument(
        "--stay", action="store_true", help="before the end, wait for Enter: look at the web interface"
    )
    demo.add_argument("--keep-going", action="store_true", help="go on after a claim that did not hold")


def _add_replaying(command: argparse.ArgumentParser) -> None:
    """What captures to read, and how."""
    command.add_argument(
        "captures", metavar="CAPTURE", nargs="+", help="pcap or pcapng, also compressed (.gz)"
    )
    command.add_argument(
        "--learn", metavar="HOW-LONG", default="25%",
        help="25%%: a quarter of each device's time; 24h: its first 24 hours; 0h: not at all; usually 25%%",
    )  # fmt: skip
    command.add_argument(
        "--scope", choices=("web", "tcp", "all"), default="all",
        help="which connections count: ports 80 and 443, TCP, or UDP too; usually all",
    )  # fmt: skip
    command.add_argument(
        "--match", choices=("chain", "domain", "host"), default="chain",
        help="what names are grouped by: the registrable domain of the name that led there, that of the name "
        "itself, or the exact name; usually chain",
    )  # fmt: skip
    command.add_argument(
        "--resolvers", choices=("any", "trusted"), default="any",
        help="whose DNS answers count: anybody's, or the router's and the big public ones'; usually any",
    )  # fmt: skip
    command.add_argument(
        "--mac", metavar="MAC", action="append", default=[], help="only this device; may be repeated"
    )


def _add_daemons(commands: _Commands) -> None:
    commands.add(
        "run", Does("smartrouter.supervisor.daemon"), "Run smartrouter: start its parts and look after them.",
        "This is what an init system starts, as root.",
    )  # fmt: skip
    for name, text in (
        ("guard", "Run the guard alone: judges packets."),
        ("analyzer", "Run the analyzer alone: finds devices, looks names up, writes alerts out."),
        ("web", "Run the web interface alone: pages and the API."),
    ):
        does = Does("smartrouter.cli.web" if name == "web" else f"smartrouter.{name}.daemon")
        command = commands.add(name, does, text, "`smartrouter run` starts it by itself.")
        command.add_argument(
            "--channel",
            metavar="FD",
            type=int,
            help="descriptor of the socket to the supervisor, which gives it",
        )
        if name == "analyzer":
            command.add_argument(
                "--leases", metavar="PATH", action="append",
                help="a lease file of dnsmasq or odhcpd, instead of the usual ones; may be repeated",
            )  # fmt: skip
        if name == "web":
            command.add_argument(
                "--set-password", action="store_true",
                help="instead, choose the password anew: it is asked for, or read from standard input",
            )  # fmt: skip


def _natural(text: str) -> int:
    number = int(text)
    if number < 0:
        raise ValueError
    return number


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def _kind(text: str) -> str:
    from smartrouter.core.effects import Kind

    if text not in list(Kind):
        raise argparse.ArgumentTypeError(f"{text!r} is none of {', '.join(Kind)}")
    return text

# SPDX-License-Identifier: GPL-2.0-or-later
"""What `doctor` looks at: each check gives what it found in a sentence and, where something is wrong, how
to mend it. Looks and changes nothing; raises nothing on purpose.
"""

import importlib.util
import json
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, NamedTuple

from smartrouter.config import Config, uci
from smartrouter.config.options import texts_of
from smartrouter.control import ask
from smartrouter.core.errors import BadConfig, SmartrouterError, Unavailable
from smartrouter.linux import interfaces, probe, queue_stats, ruleset
from smartrouter.linux.leases import lease_paths
from smartrouter.linux.privileges import service_user
from smartrouter.linux.queue_rule import DNS_QUEUE, FLOWS_QUEUE
from smartrouter.listings import volume
from smartrouter.store.retention import SANE
from smartrouter.supervisor.installed import LACKS, absent, is_installed
from smartrouter.terminal import amount, when

LITTLE_SPACE, NO_SPACE = 64 << 20, 4 << 20  # bytes
_PATIENCE = 3.0
_FORWARDING = Path("/proc/sys/net/ipv4/ip_forward")
_FIREWALL = Path("/etc/config/firewall")
# What each part imports, as Python and as package indexes call it.
_LIBRARIES = {
    "guard": {"publicsuffixlist": "publicsuffixlist"},
    "analyzer": {"pyroute2": "pyroute2", "dns": "dnspython"},
    "lab": {"scapy": "scapy"},
}
_WEB_LIBRARIES = ("starlette", "uvicorn", "jinja2")


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # smartrouter works, but not as well as it could
    PROBLEM = "problem"  # it does not work


class Check(NamedTuple):
    """`text`: what was found; `mend`: what to do about it, '' if nothing."""

    name: str
    level: Level
    text: str
    mend: str = ""


def root() -> Iterator[Check]:
    """May we ask the kernel at all?"""
    if os.geteuid():
        yield Check(
            "rights", Level.WARNING, "Not root: the kernel was not asked what it can do.", "Run it with sudo."
        )


def packet_path() -> Iterator[Check]:
    """Rules, queues and the library that reads them."""
    for finding in probe.examine():
        yield Check(finding.name, Level.OK if finding.ok else Level.PROBLEM, finding.text)


def libraries() -> Iterator[Check]:
    """The Python packages that the other parts need."""
    wanted = {k: v for part, names in _LIBRARIES.items() if is_installed(part) for k, v in names.items()}
    missing = [name for module, name in wanted.items() if importlib.util.find_spec(module) is None]
    if missing:
        yield Check(
            "libraries", Level.PROBLEM, f"Missing Python packages: {', '.join(missing)}.",
            f"Install them, as with `pip install {' '.join(missing)}`.",
        )  # fmt: skip
    else:
        yield Check("libraries", Level.OK, "All Python packages are there.")


def parts() -> Iterator[Check]:
    """Is there a part that one could miss?"""
    for part in absent():
        yield Check(
            "parts", Level.WARNING, f"The {part} is not installed: {LACKS[part]}.",
            f"Install the package smartrouter-{part} where there is room for it.",
        )  # fmt: skip


def web(config: Config) -> Iterator[Check]:
    """Can there be a web interface, if there is to be one?"""
    if config.web is None:
        return
    missing = [name for name in _WEB_LIBRARIES if importlib.util.find_spec(name) is None]
    if not is_installed("web"):
        yield Check(
            "web", Level.PROBLEM, "There is to be a web interface, but it is not installed.",
            "Install the package smartrouter-web, or take `config web` away.",
        )  # fmt: skip
    elif missing:
        yield Check(
            "web", Level.PROBLEM, f"The web interface lacks Python packages: {', '.join(missing)}.",
            f"Install them, as with `pip install {' '.join(missing)}`, or take `config web` away.",
        )  # fmt: skip
    elif not config.web.password_hash:
        yield Check(
            "web", Level.WARNING, "The web interface has no password yet: who is first on the LAN sets it.",
            "Open it and choose one, or run `smartrouter web --set-password`.",
        )  # fmt: skip
    else:
        yield Check("web", Level.OK, "The web interface has what it needs.")


def forwarding() -> Iterator[Check]:
    """Is this a router?"""
    try:
        forwards = _FORWARDING.read_text().strip() == "1"
    except OSError:
        return
    if forwards:
        yield Check("forwarding", Level.OK, "This machine forwards IPv4.")
    else:
        yield Check(
            "forwarding", Level.WARNING, "This machine does not forward IPv4, so it routes for no device.",
            "Make it a router: `sysctl -w net.ipv4.ip_forward=1`, and keep that in /etc/sysctl.d.",
        )  # fmt: skip


def secrecy(path: str, config: Config) -> Iterator[Check]:
    """Who else on this machine may read the secrets in the configuration?"""
    sections = [*config.notify, *([config.web] if config.web else [])]
    if not any(texts_of(each, secrets=True) != texts_of(each, secrets=False) for each in sections):
        return
    try:
        mode = os.stat(path).st_mode
    except OSError:
        return
    if mode & 0o077:
        yield Check(
            "secrets", Level.WARNING, f"{path} holds secrets, and others on this machine may read it.",
            f"chmod 600 {path}",
        )  # fmt: skip
    else:
        yield Check("secrets", Level.OK, f"{path} holds secrets, and is for its owner alone.")


def redirection(config: Config) -> Iterator[Check]:
    """Can the router answer in others' place, if it is to?"""
    if not config.main.redirect_dns:
        return
    try:
        finding = probe.redirection()
    except Unavailable as error:
        yield Check("redirect_dns", Level.PROBLEM, str(error))
    else:
        yield Check(finding.name, Level.OK if finding.ok else Level.PROBLEM, finding.text)


def network(config: Config) -> Iterator[Check]:
    """The local interfaces."""
    main = config.main
    try:
        found = interfaces.find(main.network, main.device, main.iot_network)
    except SmartrouterError as error:
        yield Check("local network", Level.PROBLEM, f"{error}.")
        return
    if found.missing:
        yield Check(
            "local network", Level.WARNING, f"Configured, but not there: {', '.join(found.missing)}.",
            "Bring it up, or take it out of the configuration.",
        )  # fmt: skip
    else:
        yield Check("local network", Level.OK, f"Devices are on {', '.join(found.lan)}.")
    for port, bridge in found.ports:
        if port in main.iot_network:
            yield Check(
                "local network", Level.WARNING,
                f"{port} is a port of {bridge}, and rules see only that: not every device there is watched.",
                f"Give {port} a bridge of its own, or name {bridge} if every device on it is to be watched.",
            )  # fmt: skip
        else:
            text = f"{port} is a port of {bridge}: all of {bridge} is looked after."
            yield Check("local network", Level.OK, text)


def user() -> Iterator[Check]:
    """Whom the parts run as."""
    try:
        found = service_user()
    except SmartrouterError as error:
        yield Check("service user", Level.PROBLEM, f"{error}.")
        return
    if found.name == "smartrouter":
        yield Check("service user", Level.OK, "The parts run as the user smartrouter.")
    else:
        yield Check(
            "service user", Level.WARNING,
            f"There is no user smartrouter; the parts run as {found.name}, which other programs may do too.",
            "Add one: `useradd --system --user-group smartrouter`.",
        )  # fmt: skip


def leases() -> Iterator[Check]:
    """Where host names come from."""
    found = [path for path in lease_paths() if path.is_file()]
    if found:
        yield Check("leases", Level.OK, f"Host names come from {', '.join(map(str, found))}.")
    else:
        yield Check(
            "leases", Level.WARNING,
            "There is no lease file of dnsmasq or odhcpd: devices are found, but not their own names.",
            "Have one of them on this router give out the addresses, or name devices in the configuration.",
        )  # fmt: skip


def disk(config: Config) -> Iterator[Check]:
    """Is there room for the store?"""
    folder = Path(config.main.database).parent
    while not folder.exists():
        folder = folder.parent
    stat = os.statvfs(folder)
    free = stat.f_bavail * stat.f_frsize
    try:
        used = os.stat(config.main.database).st_size
    except OSError:
        used = 0
    text = f"{amount(free)} are free on the disk of {config.main.database}."
    if free < NO_SPACE:
        yield Check("disk", Level.PROBLEM, text, "Make room; until then nothing can be stored.")
    elif free < LITTLE_SPACE or free + used < config.main.max_size:
        wanted = amount(config.main.max_size)
        yield Check(
            "disk", Level.WARNING, f"{text} The store may grow to {wanted}.",
            "Make room, or lower `option max_size`.",
        )  # fmt: skip
    else:
        yield Check("disk", Level.OK, text)


def clock() -> Iterator[Check]:
    """Is it the time that the clock shows?"""
    now = time.time()
    if now < SANE:
        yield Check(
            "clock", Level.WARNING,
            f"The clock says {when(now)}. Verdicts do not need it, but records, and rules that end, do.",
            "Let NTP set it.",
        )  # fmt: skip
    else:
        yield Check("clock", Level.OK, f"The clock says {when(now)}.")


def offload() -> Iterator[Check]:
    """Does something forward packets past the rules?"""
    how, tables = wanted_offload(), _flowtables()
    if how == "hardware":
        yield Check(
            "flow offload", Level.WARNING,
            "Flows are offloaded to hardware: new connections are judged all the same, but what follows "
            "never comes to the kernel: no rule cuts it, no server name is read from it, it is not counted.",
            "Switch it off: `uci set firewall.@defaults[0].flow_offloading_hw=0`, and flow_offloading=0 too, "
            "`uci commit firewall`, `service firewall restart`.",
        )  # fmt: skip
    elif how == "software" or tables:
        named = f" ({', '.join(tables)})" if tables else ""
        yield Check(
            "flow offload", Level.WARNING,
            f"Flows are offloaded{named}: new connections are judged all the same, but one "
            "that is under way cannot be cut by a rule, nor judged by the server name that it says, and its "
            "bytes may not be counted.",
            "Switch offloading off; OpenWrt: `uci set firewall.@defaults[0].flow_offloading=0`, "
            "`uci commit firewall`, `service firewall restart`.",
        )  # fmt: skip
    else:
        yield Check("flow offload", Level.OK, "No flow is offloaded.")


def wanted_offload(path: Path = _FIREWALL) -> str:
    """What OpenWrt's firewall is told to offload to: `software`, `hardware`, or '' for neither."""
    try:
        sections = uci.parse(path.read_text("utf-8", "replace"), str(path))
    except (OSError, BadConfig):
        return ""
    for section in sections:
        if section.type == "defaults" and _is_on(section, "flow_offloading"):
            return "hardware" if _is_on(section, "flow_offloading_hw") else "software"
    return ""


def _is_on(section: uci.Section, option: str) -> bool:
    """As fw4 reads booleans."""
    return section.options.get(option) in ("1", "on", "true", "yes", "enabled")


def running(run_dir: str) -> Iterator[Check]:
    """Does it run, and do its parts?"""
    try:
        found = ask(run_dir, {"do": "status"}, _PATIENCE)
    except SmartrouterError as error:
        yield Check("running", Level.WARNING, f"{str(error).rstrip('.')}.")
        yield from _leftovers()
        return
    troubles = [found["problem"], *(f"{p['name']}: {p['problem']}" for p in found["parts"] if p["problem"])]
    if found["enabled"] and not found["guard"]["running"]:
        troubles.append(found["guard"].get("problem", ""))
    troubles = list(dict.fromkeys(trouble for trouble in troubles if trouble))
    if not found["enabled"]:
        yield Check("running", Level.WARNING, "It is switched off.", "Set `option enabled '1'`, then reload.")
    elif troubles:
        yield Check("running", Level.PROBLEM, f"It runs, but: {'; '.join(troubles)}.", "Its log says more.")
    else:
        yield Check("running", Level.OK, f"It runs, as process {found['pid']}.")
    if refused := found["config"]["error"]:
        yield Check("configuration in use", Level.WARNING, f"The file on disk was refused: {refused}")
    if found["enabled"] and not troubles:
        yield from _table_must_be_there()
        yield from _volume(found["guard"].get("volume"))
        yield from confinement({part["name"]: part["pid"] for part in found["parts"]})


def _volume(counted: dict[str, Any] | None) -> Iterator[Check]:
    """Is counted what devices send and receive?"""
    if counted is None:
        yield Check("volume", Level.OK, "Bytes are not counted: `option volume` is 0.")
    elif wrong := volume.trouble(counted):
        yield Check("volume", Level.WARNING, *wrong)
    else:
        lost = volume.losses(counted)
        text = "What devices send and receive is counted"
        yield Check("volume", Level.OK, f"{text}, but for {lost}." if lost else f"{text}.")


def _table_must_be_there() -> Iterator[Check]:
    try:
        present = ruleset.is_present()
    except Unavailable:
        return  # not root, which is said already
    if present:
        yield Check("rules", Level.OK, "The table inet smartrouter is in the kernel, and whole.")
    else:
        yield Check(
            "rules", Level.PROBLEM, "The table inet smartrouter is not in the kernel, or not whole.",
            "The guard puts it back within a second; if it does not, restart smartrouter.",
        )  # fmt: skip


def confinement(parts: Mapping[str, int]) -> Iterator[Check]:
    """Are the system calls of these processes filtered (proc(5): Seccomp, 2)?"""
    free = []
    for name, pid in parts.items():
        try:
            status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8", errors="replace")
        except OSError:
            continue
        if "\nSeccomp:\t2\n" not in status:
            free.append(name)
    if free:
        yield Check(
            "confinement", Level.WARNING,
            f"No filter of system calls on this machine ({os.uname().machine}) for: {', '.join(free)}.",
            "None is needed to work. Each part still has its own user, and no right that it does not use.",
        )  # fmt: skip
    else:
        yield Check("confinement", Level.OK, "The parts' system calls are filtered.")


def _leftovers() -> Iterator[Check]:
    """What must not be there while it does not run."""
    try:
        counters = ruleset.read_counters()
        queues = queue_stats.read()
    except Unavailable:
        return
    if counters:
        yield Check(
            "rules", Level.WARNING, "The table inet smartrouter is still in the kernel, but nobody judges.",
            "Start smartrouter, or remove it: `nft delete table inet smartrouter`.",
        )  # fmt: skip
    taken = [str(number) for number in (FLOWS_QUEUE, DNS_QUEUE) if number in queues]
    if taken:
        yield Check(
            "queues in use", Level.PROBLEM, f"Another program listens to packet queue {' and '.join(taken)}.",
            "Stop it, or have it use another queue number.",
        )  # fmt: skip


def _flowtables() -> list[str]:
    """The names of all flowtables; none where nft cannot tell."""
    try:
        command = [ruleset.nft_path(), "--json", "list", "flowtables"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=10)
        listed: list[dict[str, Any]] = json.loads(done.stdout or "{}").get("nftables", [])
    except (Unavailable, OSError, subprocess.TimeoutExpired, ValueError):
        return []
    return [f"{t['table']} {t['name']}" for item in listed if (t := item.get("flowtable"))]

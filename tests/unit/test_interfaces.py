# SPDX-License-Identifier: GPL-2.0-or-later
"""From networks to interfaces, on OpenWrt and elsewhere. OpenWrt's programs are played by scripts."""

import json
import socket
import time
from pathlib import Path

import pytest

from smartrouter.core.errors import Unavailable
from smartrouter.linux import interfaces
from smartrouter.linux import openwrt as programs
from smartrouter.linux.interfaces import Interfaces, find

DUMP = {
    "interface": [
        {"interface": "loopback", "up": True, "l3_device": "lo", "device": "lo"},
        {"interface": "lan", "up": True, "l3_device": "br-lan", "device": "br-lan"},
        {"interface": "things", "up": True, "device": "phy0-ap1"},
        {"interface": "wan", "up": False, "pending": False},
    ]
}


@pytest.fixture
def there(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The interfaces that there are; no OpenWrt."""
    names = {"eth0", "br-lan", "br-guest", "wlan0", "phy0-ap1"}
    monkeypatch.setattr(interfaces, "present", lambda: frozenset(names))
    monkeypatch.setenv("PATH", "/nonexistent")
    return names


@pytest.fixture
def bin_(there: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for programs, the only ones that will be found."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture
def openwrt(bin_: Path) -> Path:
    """`ubus` and `fw4` that answer as on a router with a network `things` and a zone `guests`."""
    dump = json.dumps(DUMP)
    program(bin_ / "ubus", f"[ \"$*\" = 'call network.interface dump' ] && echo '{dump}'")
    program(
        bin_ / "fw4",
        "case \"$*\" in '-q zone guests') echo br-guest; echo wlan0; echo tun7;; *) exit 1;; esac",
    )
    return bin_


NO: tuple[str, ...] = ()


def test_devices_are_taken_as_they_stand(there: set[str]) -> None:
    assert find(NO, ["br-lan", "eth0"], NO) == Interfaces(("br-lan", "eth0"), (), ())


def test_elsewhere_than_on_openwrt_a_network_is_an_interface_or_a_bridge_of_that_name(
    there: set[str],
) -> None:
    assert find(["eth0", "guest"], NO, NO) == Interfaces(("eth0", "br-guest"), (), ())


def test_an_iot_network_is_watched_and_part_of_the_lan(there: set[str]) -> None:
    assert find(["eth0"], NO, ["wlan0"]) == Interfaces(("eth0", "wlan0"), ("wlan0",), ())


def test_nothing_is_named_twice(there: set[str]) -> None:
    assert find(["lan", "br-lan"], ["br-lan"], ["lan"]) == Interfaces(("br-lan",), ("br-lan",), ())


def test_openwrt_says_which_interface_a_network_is(openwrt: Path) -> None:
    assert find(["lan"], NO, ["things"]) == Interfaces(("br-lan", "phy0-ap1"), ("phy0-ap1",), ())


def test_on_openwrt_a_firewall_zone_will_do_too(openwrt: Path) -> None:
    assert find(["guests"], NO, NO) == Interfaces(("br-guest", "wlan0"), (), ())


def test_a_network_that_is_down_is_missing_until_it_comes_up(openwrt: Path) -> None:
    assert find(["lan", "wan", "nonsense"], ["usb0"], NO) == Interfaces(
        ("br-lan",), (), ("usb0", "wan", "nonsense")
    )


@pytest.mark.parametrize("answer", ["", "nonsense", "[]", "{}", '{"interface": [1]}', '{"interface": null}'])
def test_whatever_ubus_says_interfaces_are_still_found_by_name(bin_: Path, answer: str) -> None:
    program(bin_ / "ubus", f"echo '{answer}'")
    assert find(["lan"], NO, NO).lan == ("br-lan",)


def test_a_program_that_hangs_is_not_waited_for(bin_: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    program(bin_ / "ubus", "exec /bin/sleep 60")
    monkeypatch.setattr(programs, "_PATIENCE", 0.2)
    before = time.monotonic()
    assert find(["lan"], NO, NO).lan == ("br-lan",)
    assert time.monotonic() - before < 30


def test_no_interface_at_all_is_said_with_those_that_there_are(there: set[str]) -> None:
    with pytest.raises(Unavailable) as refused:
        find(["home"], ["br0"], ["home"])
    assert "(br0, home)" in str(refused.value)
    assert "br-guest, br-lan, eth0, phy0-ap1, wlan0" in str(refused.value)
    assert "`list device`" in str(refused.value)


def test_no_configuration_at_all_is_said_too(there: set[str]) -> None:
    with pytest.raises(Unavailable, match="no LAN interface is configured"):
        find(NO, NO, NO)


def test_names_never_become_options_of_a_program(bin_: Path) -> None:
    program(bin_ / "fw4", f'echo "$@" >> {bin_}/called; exit 1')
    with pytest.raises(Unavailable):
        find(["--help", "a b", "$(reboot)"], NO, NO)
    assert not (bin_ / "called").exists()


# -- ports of bridges --------------------------------------------------------------------------------------


@pytest.fixture
def ports(there: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """eth0 and wlan0 are ports of br-lan, eth0 by way of a bond; phy0-ap1 belongs to a VRF."""
    there.update({"bond0", "vrf0"})
    monkeypatch.setattr(interfaces, "_SYSFS", str(tmp_path))
    monkeypatch.setattr(socket, "if_nametoindex", lambda name: sorted(there).index(name))
    for name in there:
        (tmp_path / name).mkdir()
        (tmp_path / name / "ifindex").write_text(f"{sorted(there).index(name)}\n")
    (tmp_path / "br-lan" / "bridge").mkdir()
    (tmp_path / "bond0" / "bonding").mkdir()
    for port, master in (("eth0", "bond0"), ("bond0", "br-lan"), ("wlan0", "br-lan"), ("phy0-ap1", "vrf0")):
        (tmp_path / port / "master").symlink_to(f"../{master}")
    return tmp_path


def test_a_port_of_a_bridge_means_the_bridge_and_that_is_said(ports: Path) -> None:
    assert find(NO, ["eth0", "br-guest"], NO) == Interfaces(
        ("br-lan", "br-guest"), (), (), (("eth0", "br-lan"),)
    )
    assert find(["wlan0", "lan"], ["wlan0"], NO) == Interfaces(("br-lan",), (), (), (("wlan0", "br-lan"),))


def test_a_port_never_makes_its_whole_bridge_an_iot_network(ports: Path) -> None:
    assert find(NO, NO, ["wlan0", "guest"]) == Interfaces(
        ("br-lan", "br-guest"), ("br-guest",), (), (("wlan0", "br-lan"),)
    )


def test_what_is_no_port_stays_what_it_is(ports: Path) -> None:
    assert interfaces.bridge_of("phy0-ap1") == ""
    assert interfaces.bridge_of("br-lan") == ""
    assert interfaces.bridge_of("nowhere") == ""


def test_the_sysfs_of_another_namespace_says_nothing(ports: Path) -> None:
    (ports / "wlan0" / "ifindex").write_text("4711\n")
    assert interfaces.bridge_of("wlan0") == ""


def test_the_loopback_is_no_interface_to_look_after() -> None:
    assert "lo" not in interfaces.present()

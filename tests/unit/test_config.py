# SPDX-License-Identifier: GPL-2.0-or-later
"""The configuration: defaults, faults, settings, shares and secrets."""

import json
from ipaddress import ip_network
from pathlib import Path

import pytest

from smartrouter.config import (
    Config,
    DeviceConfig,
    MainConfig,
    NotifyConfig,
    RuleConfig,
    WebConfig,
    checked,
    from_text,
    load,
)
from smartrouter.config.options import options_of
from smartrouter.config.sections import SECTIONS
from smartrouter.core.destinations import Match
from smartrouter.core.effects import Severity
from smartrouter.core.errors import BadConfig
from smartrouter.core.policy import (
    Action,
    DeviceSettings,
    LearningPlan,
    Mode,
    NewDevices,
    Rule,
    Settings,
    Watching,
)
from smartrouter.core.public.resolvers import PUBLIC_RESOLVERS

DAY, HOUR = 86400.0, 3600.0
TV = "3c:2e:ff:29:4d:93"
FULL = """\
config smartrouter 'main'
	option enabled '1'
	option mode 'enforce'
	option mode_until '2026-12-24T18:00:00Z'
	option mode_after 'monitor'
	option learning '36h'
	option learning_period '20d'
	option analysis_interval '10m'
	list network 'lan'
	list device 'br-lan'
	list iot_network 'iot'
	option new_devices 'isolate'
	option match 'host'
	option name_grace '1d'
	option unused_after '90d'
	option unnamed_tls 'hello'
	option foreign_dns 'allow'
	option redirect_dns '1'
	list resolver '192.168.1.53'
	list resolver 'FD00::53'
	option on_failure 'closed'
	option block_action 'drop'
	option pass_mark '0x10000000'
	option block_mark '0x20000000'
	option workers '2'
	option volume '0'
	option reader 'netlink'
	option database '/tmp/x.db'
	option attempts_kept '24h'
	option retention '30d'
	option max_size '16M'
	option snapshot '/etc/smartrouter'
	option snapshot_interval '1h'
	option jail '1'
	option alert_file '/tmp/alerts.txt'
config device
	option mac '3C-2E-FF-29-4D-93'
	option name 'Living-room TV'
	option watch 'always'
	option mode 'monitor'
	option mute_until '2026-12-24T18:00:00Z'
	option muted_by 'slack:U024BE7LH'
config rule
	option device '3c:2e:ff:29:4d:93'
	option destination 'netflix.com'
	option service 'web'
	option action 'allow'
	option until '2026-12-24T18:00:00Z'
	option once '1'
	option by 'web:admin'
	option at '2026-11-22T12:00:00Z'
config rule
	option device '*'
	option destination '203.0.113.0/24'
	option action 'deny'
config notify
	option type 'slack'
	option token 'xoxb-S3cret'
	option app_token 'xapp-S3cret'
	option channel 'https://user:S3cret@hooks.example/x'
	option url 'https://user:S3cret@slack.example/api/'
	option name 'phone'
	option min_severity 'critical'
	option per_minute '60'
	option digest 'weekly'
	option quiet_from '22:00'
	option quiet_to '07:00'
config web
	option listen '192.168.1.1:8081'
	option password_hash 'scrypt$S3cret'
	option tls '1'
	option certificate '/etc/ssl/router.crt'
	option key '/etc/ssl/router.key'
	list host 'router.example.com'
	list allow_from '10.8.0.0/24'
	list token 'S3cret:read,act:5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e5e'
"""


def faults(text: str) -> list[str]:
    with pytest.raises(BadConfig) as caught:
        from_text(text, "FILE")
    return str(caught.value).split("\n")


def test_what_is_left_out_has_its_default() -> None:
    config = from_text("config smartrouter 'main'\n")
    assert config == Config(MainConfig(network=("lan",)))
    assert config.main == MainConfig(
        enabled=True,
        mode=Mode.MONITOR,
        learning=None,
        learning_period=14 * DAY,
        analysis_interval=300.0,
        network=("lan",),
        device=(),
        iot_network=(),
        new_devices=NewDevices.DEFAULT,
        match=Match.CHAIN,
        name_grace=7 * DAY,
        unused_after=180 * DAY,
        unnamed_tls="block",
        foreign_dns="block",
        redirect_dns=False,
        resolver=(),
        on_failure="open",
        block_action="reject",
        pass_mark=0x40000000,
        block_mark=0x80000000,
        workers=0,
        volume=True,
        reader="netfilterqueue",
        database="/var/lib/smartrouter/smartrouter.db",
        attempts_kept=48 * HOUR,
        retention=90 * DAY,
        max_size=512 << 20,
        snapshot=None,
        snapshot_interval=15 * 60.0,
        jail=False,
        alert_file="/var/lib/smartrouter/alerts.txt",
    )
    assert from_text("") == config


def test_every_option_is_read() -> None:
    config = from_text(FULL)
    assert config.main == MainConfig(
        enabled=True,
        mode=Mode.ENFORCE,
        mode_until=1798135200.0,
        mode_after=Mode.MONITOR,
        learning=36 * HOUR,
        learning_period=20 * DAY,
        analysis_interval=600.0,
        network=("lan",),
        device=("br-lan",),
        iot_network=("iot",),
        new_devices=NewDevices.ISOLATE,
        match=Match.HOST,
        name_grace=DAY,
        unused_after=90 * DAY,
        unnamed_tls="hello",
        foreign_dns="allow",
        redirect_dns=True,
        resolver=("192.168.1.53", "fd00::53"),
        on_failure="closed",
        block_action="drop",
        pass_mark=0x10000000,
        block_mark=0x20000000,
        workers=2,
        volume=False,
        reader="netlink",
        database="/tmp/x.db",
        attempts_kept=24 * HOUR,
        retention=30 * DAY,
        max_size=16 << 20,
        snapshot="/etc/smartrouter",
        snapshot_interval=HOUR,
        jail=True,
        alert_file="/tmp/alerts.txt",
    )
    until, at = 1798135200.0, 1795348800.0
    assert config.devices == (
        DeviceConfig(
            mac=TV, name="Living-room TV", watch=Watching.ALWAYS, mode=Mode.MONITOR, mute_until=until,
            muted_by="slack:U024BE7LH",
        ),
    )  # fmt: skip
    assert config.rules == (
        RuleConfig(
            device=TV, destination="netflix.com", service="web", action=Action.ALLOW, until=until,
            once=True, by="web:admin", at=at,
        ),
        RuleConfig(device="*", destination="203.0.113.0/24", service="", action=Action.DENY),
    )  # fmt: skip
    assert config.notify == (
        NotifyConfig(
            type="slack", token="xoxb-S3cret", app_token="xapp-S3cret",
            channel="https://user:S3cret@hooks.example/x", url="https://user:S3cret@slack.example/api/",
            name="phone", min_severity=Severity.CRITICAL,
            per_minute=60, digest="weekly",
            quiet_from="22:00", quiet_to="07:00",
        ),
    )  # fmt: skip
    assert config.web == WebConfig(
        listen="192.168.1.1:8081", password_hash="scrypt$S3cret", tls="1",
        certificate="/etc/ssl/router.crt", key="/etc/ssl/router.key", host=("router.example.com",),
        allow_from=("10.8.0.0/24",), token=("S3cret:read,act:" + "5e" * 32,),
    )  # fmt: skip


def test_the_example_above_has_every_option_there_is() -> None:
    for kind, section in SECTIONS.items():
        for option in options_of(section):
            assert f" {option.name} '" in FULL, f"{kind}.{option.name}"


def test_the_lan_is_looked_after_only_where_nothing_else_is_named() -> None:
    for option in ("device", "iot_network"):
        assert from_text(f"config smartrouter\nlist {option} x\n").main.network == ()


def test_a_list_may_be_written_as_one_option() -> None:
    assert from_text("config smartrouter\noption network 'lan guest lan'\n").main.network == ("lan", "guest")


FAULTS = {
    "a wrong value": (
        "config smartrouter 'main'\n\n\toption mode 'block'\n",
        "FILE: config smartrouter 'main', line 1: option mode (line 3): found 'block'; "
        "allowed is `monitor` or `enforce`.",
    ),
    "a wrong value in a section without a name": (
        f"config device\n\toption mac {TV}\nconfig device\n\toption mac 'tv'\n",
        "FILE: config device 2 (@device[1]), line 3: option mac (line 4): found 'tv'; "
        "allowed is a device's MAC address such as `3c:2e:ff:29:4d:93`.",
    ),
    "one wrong value of a list": (
        "config smartrouter\nlist resolver 9.9.9.9\nlist resolver dns\n",
        "FILE: config smartrouter 1 (@smartrouter[0]), line 1: option resolver (line 3): found 'dns'; "
        "allowed is an IPv4 or IPv6 address.",
    ),
    "a list of what is no list": (
        "config smartrouter m\nlist mode monitor\n",
        "FILE: config smartrouter 'm', line 1: option mode (line 2): found a list; "
        "allowed is one value: `monitor` or `enforce`.",
    ),
    "an option that is not there": (
        "config device d\n",
        "FILE: config device 'd', line 1: option mac: found nothing; "
        "allowed is a device's MAC address such as `3c:2e:ff:29:4d:93`.",
    ),
    "an unknown option": (
        "config smartrouter m\noption onfailure open\n",
        "FILE: config smartrouter 'm', line 1: option onfailure (line 2): there is no such option; "
        "the nearest is on_failure.",
    ),
    "an unknown option like no other": (
        "config web w\noption xyz 1\n",
        "FILE: config web 'w', line 1: option xyz (line 2): there is no such option; "
        "known are listen, password_hash, tls, certificate, key, host, allow_from, url, token.",
    ),
    "an unknown section": (
        "config devices d\n",
        "FILE: config devices 'd', line 1: there is no such section; the nearest is device.",
    ),
    "an unknown section like no other": (
        "config xyz d\n",
        "FILE: config xyz 'd', line 1: there is no such section; "
        "known are smartrouter, device, rule, notify, web.",
    ),
    "a second main section": (
        "config smartrouter a\nconfig smartrouter b\n",
        "FILE: config smartrouter 'b', line 2: one too many; "
        "there is config smartrouter 'a', line 1 already.",
    ),
    "a second web section": (
        "config web\nconfig web\n",
        "FILE: config web 2 (@web[1]), line 2: one too many; "
        "there is config web 1 (@web[0]), line 1 already.",
    ),
    "marks that overlap": (
        "config smartrouter m\noption pass_mark 0x80000000\n",
        "FILE: config smartrouter 'm', line 1: option block_mark: found 0x80000000; "
        "allowed is another bit than pass_mark's.",
    ),
    "a device twice": (
        f"config device a\noption mac {TV}\nconfig device b\noption mac {TV.upper()}\n",
        f"FILE: config device 'b', line 3: option mac (line 4): found {TV} again; "
        "allowed is one section for it, and that is config device 'a', line 1.",
    ),
    "half of the quiet hours": (
        "config notify n\noption type slack\noption quiet_from 22:00\n",
        "FILE: config notify 'n', line 1: option quiet_to: found nothing; "
        "allowed is a time of day, as quiet_from has one.",
    ),
    "bytes that are no UTF-8": (
        f"config device d\noption mac {TV}\noption name 'K\udcfcche'\n",
        "FILE: config device 'd', line 1: option name (line 3): found 'K\\udcfcche'; "
        "allowed is text of up to 200 characters on one line.",
    ),
    "control characters, which stay harmless in the message": (
        f"config device d\noption mac {TV}\noption name '\x1b[2J\nx'\n",
        "FILE: config device 'd', line 1: option name (line 3): found '\\x1b[2J\\nx'; "
        "allowed is text of up to 200 characters on one line.",
    ),
    "what is no UCI": ("config smartrouter 'main\n", "FILE: line 1: the quote ' has no end."),
}


@pytest.mark.parametrize(("text", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_says_where_it_is_what_was_found_and_what_is_allowed(text: str, fault: str) -> None:
    assert faults(text) == [fault]


def test_all_faults_are_told_at_once() -> None:
    told = faults("config smartrouter m\noption mode x\noption match y\nconfig rule\nconfig z\n")
    assert [line.split("option ")[-1].split(" ")[0].rstrip(":") for line in told[:-1]] == [
        "mode", "match", "device", "destination", "action",
    ]  # fmt: skip
    assert "config z" in told[-1]


def test_a_huge_value_is_refused_in_a_short_message() -> None:
    (fault,) = faults("config smartrouter m\noption database '/" + "x" * 1_000_000 + "'\n")
    assert len(fault) < 300


def test_huge_names_and_thousands_of_faults_make_a_bounded_message() -> None:
    for text in (
        "config " + "x" * 1_000_000,
        "config web " + "x" * 1_000_000 + "\noption " + "y" * 1_000_000 + " z",
    ):
        (fault,) = faults(text + "\n")
        assert len(fault) < 500
    told = faults("config web\noption x 1\n" * 5000)
    assert len(told) == 201
    assert told[-1] == "And 4800 more faults."


def test_a_missing_file_is_said_with_one_that_would_do(tmp_path: Path) -> None:
    path = tmp_path / "smartrouter"
    with pytest.raises(BadConfig, match="does not exist") as caught:
        load(path)
    path.write_text(str(caught.value).partition("\n")[2])
    assert load(path).main.device == ("br-lan",)


def test_errors_of_a_file_name_the_file(tmp_path: Path) -> None:
    path = tmp_path / "smartrouter"
    path.write_text("config xyz\n")
    with pytest.raises(BadConfig, match=f"^{path}: config xyz 1"):
        load(path)


def test_the_judge_gets_its_settings() -> None:
    settings = from_text(FULL).settings(frozenset({"192.168.1.1"}))
    assert settings.mode is Mode.ENFORCE
    assert settings.match is Match.HOST
    assert settings.name_grace == DAY
    assert settings.block_foreign_dns is False
    assert settings.redirect_dns is True
    assert settings.judge_by_hello is True
    assert settings.unused_after == 90 * DAY
    assert settings.new_devices is NewDevices.ISOLATE
    assert settings.resolvers == PUBLIC_RESOLVERS | {"192.168.1.1", "192.168.1.53", "fd00::53"}
    assert settings.shared_resolvers == {"192.168.1.53", "fd00::53"}
    assert settings.devices == {
        TV: DeviceSettings(TV, "Living-room TV", Watching.ALWAYS, Mode.MONITOR, 1798135200.0)
    }
    assert settings.rules == (
        Rule(
            TV,
            "netflix.com",
            "web",
            Action.ALLOW,
            1798135200.0,
            "web:admin",
            "2026-11-22T12:00:00Z",
            once=True,
        ),
        Rule("*", ip_network("203.0.113.0/24"), "", Action.DENY, None, "", ""),
    )


def test_what_is_left_out_means_the_same_to_the_judge_as_to_the_configuration() -> None:
    assert from_text("").settings(frozenset()) == Settings(resolvers=PUBLIC_RESOLVERS)


@pytest.mark.parametrize(
    ("address", "is_shared"),
    [
        ("192.168.1.53", True),
        ("10.0.0.1", True),
        ("172.31.255.255", True),
        ("172.32.0.1", False),
        ("169.254.3.4", True),
        ("fd12::53", True),
        ("fe80::1", True),
        ("9.9.9.9", False),
        ("192.0.2.53", False),
        ("2001:db8::53", False),
        ("100.64.0.1", False),
    ],
)
def test_a_resolver_of_the_local_network_is_one_for_all(address: str, is_shared: bool) -> None:
    settings = from_text(f"config smartrouter m\nlist resolver '{address}'\n").settings(frozenset())
    assert (address in settings.shared_resolvers) is is_shared
    assert settings.resolvers is not None
    assert address in settings.resolvers


@pytest.mark.parametrize(
    ("text", "plan"),
    [
        ("", LearningPlan(True, 14 * DAY)),
        ("option learning auto\noption learning_period 3d\n", LearningPlan(True, 3 * DAY)),
        ("option learning 14d\noption learning_period 3d\n", LearningPlan(False, 14 * DAY)),
    ],
)
def test_learning_ends_by_rule_or_by_time(text: str, plan: LearningPlan) -> None:
    assert from_text("config smartrouter m\n" + text).settings(frozenset()).learning == plan


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("netflix.com", "netflix.com"),
        ("*.netflix.com", "*.netflix.com"),
        ("*", "*"),
        ("203.0.113.7", ip_network("203.0.113.7/32")),
        ("2001:db8::7", ip_network("2001:db8::7/128")),
        ("2001:db8::/32", ip_network("2001:db8::/32")),
    ],
)
def test_a_rules_destination_is_a_name_or_a_network(written: str, meant: object) -> None:
    rule = f"config rule\noption device '*'\noption action deny\noption destination '{written}'\n"
    assert from_text(rule).settings(frozenset()).rules[0].destination == meant


@pytest.mark.parametrize("text", ["", FULL])
def test_a_share_makes_the_same_configuration_again(text: str) -> None:
    config = from_text(text)
    plain = config._replace(notify=(), web=None)
    shares = {part: json.loads(json.dumps(config.to_share(part))) for part in ("guard", "analyzer", "web")}
    assert Config.from_share(shares["guard"]) == plain
    secretless = config.web and config.web.replace(password_hash="", token=())
    assert Config.from_share(shares["analyzer"]) == config._replace(web=secretless)
    assert Config.from_share(shares["web"])._replace(notify=()) == config._replace(notify=())


def test_each_share_holds_the_secrets_of_its_own_part_only() -> None:
    config = from_text(FULL)
    shares = {part: json.dumps(config.to_share(part)) for part in ("guard", "analyzer", "web")}
    secrets = {"xoxb-S3cret", "xapp-S3cret", "user:S3cret@", "scrypt$S3cret", "S3cret:read"}
    assert {part: {secret for secret in secrets if secret in text} for part, text in shares.items()} == {
        "guard": set(),
        "analyzer": {"xoxb-S3cret", "xapp-S3cret", "user:S3cret@"},
        "web": {"scrypt$S3cret", "S3cret:read"},
    }


def test_no_repr_and_no_error_shows_a_secret() -> None:
    config = from_text(FULL)
    assert "S3cret" not in repr(config) + str(config) + repr(config.notify[0]) + repr(config.web)
    for line in FULL.splitlines():
        if "S3cret" in line:
            broken = FULL.replace(line, line.replace("S3cret", "S3cret \n"))
            assert all("S3cret" not in fault for fault in faults(broken))


def test_a_share_that_is_no_configuration_is_refused() -> None:
    with pytest.raises(BadConfig, match="mode"):
        Config.from_share({"smartrouter": [{"mode": "x"}]})


def test_one_section_can_be_checked_alone() -> None:
    assert checked(MainConfig, {"mode": "enforce"}, "mode").mode is Mode.ENFORCE
    with pytest.raises(
        BadConfig, match=r"^mode: option mode: found ''; allowed is `monitor` or `enforce`\.$"
    ):
        checked(MainConfig, {"mode": ""}, "mode")

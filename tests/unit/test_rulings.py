# SPDX-License-Identifier: GPL-2.0-or-later
"""A handler's own faults: counted, not hidden from whom they must reach, and never in a packet's way."""

import pytest

from smartrouter.linux.rulings import DROPPED, Faults, Ruling


class Handler:
    """Says in `failed` what the test says, or raises it."""

    def __init__(self, said: Ruling | BaseException):
        self.said = said
        self.told: list[BaseException] = []

    def judge(self, payload: bytes, mac: str | None, hook: int, mark: int) -> Ruling:
        raise AssertionError("nobody asked")

    def recall(self, packets: object) -> None:
        raise AssertionError("nobody asked")

    def conclude(self) -> None:
        raise AssertionError("nobody asked")

    def settle(self) -> None:
        raise AssertionError("nobody asked")

    def failed(self, error: BaseException) -> Ruling:
        self.told.append(error)
        if isinstance(self.said, BaseException):
            raise self.said
        return self.said


@pytest.mark.parametrize("said", [True, False, None, DROPPED])
def test_a_handler_repairs_its_own_faults(said: Ruling) -> None:
    handler = Handler(said)
    faults = Faults(1, handler)
    error = ValueError("a bug")
    assert faults.ruling(error) is said
    assert handler.told == [error]
    assert (faults.count, faults.fatal) == (0, None)


def test_where_the_repair_fails_there_is_no_ruling() -> None:
    faults = Faults(1, Handler(ValueError("another")))
    assert faults.ruling(ValueError("a bug")) is None
    assert (faults.count, faults.fatal) == (1, None)


@pytest.mark.parametrize("end", [SystemExit(7), KeyboardInterrupt()])
def test_what_must_end_the_process_is_kept_until_the_packets_are_served(end: BaseException) -> None:
    faults = Faults(1, Handler(True))
    assert faults.ruling(end) is True
    assert faults.fatal is end
    faults = Faults(1, Handler(end))
    assert faults.ruling(ValueError("a bug")) is None
    assert faults.fatal is end
    assert faults.count == 0


def test_only_the_first_faults_are_logged(capsys: pytest.CaptureFixture[str]) -> None:
    faults = Faults(1, Handler(True))
    for _ in range(1000):
        faults.note(ValueError("a bug"))
    assert faults.count == 1000
    assert capsys.readouterr().err.count("ERROR smartrouter.queue: ") == 10

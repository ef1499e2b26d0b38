# SPDX-License-Identifier: GPL-2.0-or-later
"""Whatever a device shows, it gets an answer whose reasons can be shown."""

from hypothesis import given
from hypothesis import strategies as st

from smartrouter.core.classification import Evidence, classify
from smartrouter.core.classification.signs import Behaviour, SynShape

MOST = 200  # characters of a reason

texts = st.text(max_size=300)
several = st.lists(texts, max_size=40).map(tuple)
numbers = st.integers(0, 1 << 40)
evidence = st.builds(
    Evidence,
    mac=st.one_of(st.just(""), st.from_regex(r"\A([0-9a-f]{2}:){5}[0-9a-f]{2}\Z")),
    hostname=texts,
    maker=texts,
    vendor_class=texts,
    user_class=texts,
    params=st.lists(st.integers(0, 65535), max_size=300).map(tuple),
    client_id=texts,
    services=several,
    models=several,
    names=several,
    stack=st.none() | st.builds(SynShape, numbers, numbers, texts, numbers, st.integers(-1, 255)),
    behaviour=st.none()
    | st.builds(Behaviour, st.floats(0, 1e10), numbers, numbers, numbers, numbers, numbers, st.floats(0, 1)),
)


@given(evidence)
def test_any_evidence_gets_an_answer_that_can_be_shown(shown: Evidence) -> None:
    kind = classify(shown)
    assert kind.iot in (True, False, None)
    assert (kind.confidence == 0.0) is (kind.iot is None)
    assert 0.0 <= kind.confidence <= 0.99
    assert kind.reasons
    assert len(set(kind.reasons)) == len(kind.reasons)
    for reason in kind.reasons:
        assert reason
        assert reason.isprintable()
        assert len(reason) < MOST * 3


@given(evidence, st.sampled_from(Evidence._fields))
def test_any_part_of_the_evidence_may_be_missing(shown: Evidence, field: str) -> None:
    nothing = Evidence("")
    assert classify(shown._replace(**{field: getattr(nothing, field)})).reasons

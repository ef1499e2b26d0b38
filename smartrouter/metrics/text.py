# SPDX-License-Identifier: GPL-2.0-or-later
"""The text format that Prometheus reads (version 0.0.4), and none of what is measured.

https://prometheus.io/docs/instrumenting/exposition_formats/ says what may stand where. Whatever a label's
value is, it ends neither its quotes nor its line; and a family has so many samples, and no more.
"""

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import TypeAlias

from smartrouter.core.inert import cut, inert

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
MAX_SAMPLES = 500  # of one family
LONGEST_LABEL = 120  # characters of a label's value

Labels: TypeAlias = Mapping[str, object]
Sample: TypeAlias = tuple[Labels, float]
_NAME = re.compile(r"[a-z][a-z0-9_]*")
_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})


def gauge(name: str, about: str, value: float | None) -> list[str]:
    """A gauge of smartrouter's; none where it has no value."""
    return family(f"smartrouter_{name}", "gauge", about, [] if value is None else [({}, value)])


def counter(name: str, about: str, value: float | None) -> list[str]:
    """A counter, likewise; its name gets `_total`."""
    return family(f"smartrouter_{name}_total", "counter", about, [] if value is None else [({}, value)])


def counters(name: str, about: str, label: str, found: Mapping[str, float] | None) -> list[str]:
    """A counter for each key of `found`."""
    return family(f"smartrouter_{name}_total", "counter", about, _by(label, found))


def gauges(name: str, about: str, label: str, found: Mapping[str, float] | None) -> list[str]:
    """A gauge for each key of `found`."""
    return family(f"smartrouter_{name}", "gauge", about, _by(label, found))


def _by(label: str, found: Mapping[str, float] | None) -> Iterator[Sample]:
    for key, value in (found or {}).items():
        yield {label: key}, value


def family(name: str, kind: str, about: str, samples: Iterable[Sample]) -> list[str]:
    """The lines of a metric family; none where it has no sample. `kind`: counter or gauge; the name of a
    counter ends in `_total`. Of samples whose labels are alike, once cut, the last one
    counts."""
    assert (kind == "counter") is name.endswith("_total")  # noqa: S101 - names are ours
    values = {f"{_named(name)}{_labels(labels)}": value for labels, value in islice(samples, MAX_SAMPLES)}
    lines = [f"{sample} {_number(value)}" for sample, value in values.items()]
    return [*_head(name, kind, about), *lines] if lines else []


def histogram(
    name: str, about: str, each: Iterable[tuple[Labels, Sequence[tuple[float | None, int]], float]]
) -> list[str]:
    """The lines of a family of histograms: labels, (upper end, count) of each bucket, the last one's end
    None, and the sum."""
    lines = []
    for labels, buckets, total in each:
        below = 0
        for end, count in buckets:
            below += count
            bucket = {**labels, "le": _number(math.inf if end is None else end)}
            lines.append(f"{_named(name)}_bucket{_labels(bucket)} {below}")
        lines.append(f"{name}_sum{_labels(labels)} {_number(total)}")
        lines.append(f"{name}_count{_labels(labels)} {below}")
    return [*_head(name, "histogram", about), *lines] if lines else []


def _head(name: str, kind: str, about: str) -> list[str]:
    escaped = about.replace("\\", r"\\").replace("\n", r"\n")
    return [f"# HELP {name} {escaped}", f"# TYPE {name} {kind}"]


def _named(name: str) -> str:
    assert _NAME.fullmatch(name), name  # noqa: S101 - names are ours
    return name


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{_named(name)}="{_value(value)}"' for name, value in labels.items()) + "}"


def _value(value: object) -> str:
    return cut(inert(str(value)), LONGEST_LABEL).translate(_ESCAPES)


def _number(value: float) -> str:
    if value == math.inf:
        return "+Inf"
    return str(int(value)) if value == int(value) and abs(value) < 1e15 else repr(float(value))

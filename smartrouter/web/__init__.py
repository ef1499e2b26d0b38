# SPDX-License-Identifier: GPL-2.0-or-later
"""The web interface: pages and an API over what the store holds and the running smartrouter answers.

A process of its own without rights. It reads the store, asks the control socket, and changes nothing by
itself; what it shows is hostile text. Needs starlette, uvicorn and jinja2, which nothing else does.
"""

from importlib.util import find_spec

from smartrouter.core.errors import Unavailable

_missing = [name for name in ("starlette", "uvicorn", "jinja2") if find_spec(name) is None]
if _missing:
    raise Unavailable(
        f"the web interface needs the Python module{'s' if len(_missing) > 1 else ''} {', '.join(_missing)}: "
        f"install what is missing (as with `pip install {' '.join(_missing)}`; OpenWrt's packages are called "
        "python3-starlette and so on), or take `config web` out of the configuration"
    )

from smartrouter.web import lean as lean  # noqa: E402 - before anything else of these libraries

# SPDX-License-Identifier: GPL-2.0-or-later
"""`smartrouter web`: the web interface alone; or, with --set-password, a new password for it.

A password is read from the terminal, or from a line of standard input: never from the command line, which
everybody can read. Its hash goes to the running smartrouter, which writes it.
"""

import getpass
import sys
from argparse import Namespace

from smartrouter.control import ask

PATIENCE = 20.0  # seconds: a slow router writes its configuration through `uci`


def main(arguments: Namespace) -> int:
    """`smartrouter web [--set-password]`."""
    if not arguments.set_password:
        from smartrouter.web.daemon import main as serve

        return serve(arguments)
    from smartrouter.web import passwords

    password = _line("New password: ")
    again = _line("Once more: ") if sys.stdin.isatty() else password
    kept = passwords.hashed(passwords.checked(password, again))
    answer = ask(arguments.run_dir, {"do": "set-password", "hash": kept}, PATIENCE)
    print("The web interface has a new password; whoever was logged in is not any more.")
    if note := answer.get("note"):
        print(f"But {note}.")
    return 0


def _line(prompt: str) -> str:
    if sys.stdin.isatty():
        return getpass.getpass(prompt)
    return sys.stdin.readline().rstrip("\r\n")

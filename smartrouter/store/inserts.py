# SPDX-License-Identifier: GPL-2.0-or-later
"""Statements that insert many rows at once: each that SQLite runs costs the interpreter a way there and
back."""


def inserts(table: str, columns: int, *sizes: int) -> list[tuple[int, str]]:
    """Pairs of a number of rows and the statement that inserts so many, whose values stand one row behind the
    other. `sizes`: the largest first, down to 1."""
    row = f"({', '.join('?' * columns)})"
    return [(rows, f"INSERT INTO {table} VALUES {', '.join([row] * rows)}") for rows in sizes]  # noqa: S608

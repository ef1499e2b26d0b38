# SPDX-License-Identifier: GPL-2.0-or-later
"""The sdist and the wheel, the same bytes for the same sources: `make dist`, `python -m supply.dist FOLDER`.

Whoever builds, where, and when, is not in them: they are built of a copy with plain modes, and every time is
that of the last commit (or SOURCE_DATE_EPOCH, see reproducible-builds.org). Two builds differ only where the
versions of setuptools, of Python or of zlib do. Needs `build` and setuptools, and no network.
"""

import gzip
import io
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[1]
_SOURCES = ("LICENSE", "README.md", "nft", "pyproject.toml", "setup.py", "smartrouter")
_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyc", "*.egg-info")


def main() -> int:
    """Build into the folder that is given; says what was built."""
    into = Path(sys.argv[1] if len(sys.argv) > 1 else "dist").resolve()
    into.mkdir(parents=True, exist_ok=True)
    for path in build(CHECKOUT, into, epoch_of(CHECKOUT)):
        print(path)
    return 0


def epoch_of(checkout: Path) -> int:
    """SOURCE_DATE_EPOCH, else the time of the last commit, in seconds."""
    given = os.environ.get("SOURCE_DATE_EPOCH", "")
    if given.isdigit():
        return int(given)
    done = subprocess.run(
        ["git", "-C", checkout, "log", "-1", "--format=%ct"], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit("No git here: say in SOURCE_DATE_EPOCH which time the packages are to bear.")
    return int(done.stdout)


def build(checkout: Path, into: Path, epoch: int) -> list[Path]:
    """Build sdist and wheel of `checkout` into `into`; gives their paths."""
    with tempfile.TemporaryDirectory(prefix="smartrouter-dist-") as folder:
        copy, built = Path(folder) / "smartrouter", Path(folder) / "built"
        _copy(checkout, copy)
        environment = os.environ | {"SOURCE_DATE_EPOCH": str(epoch), "PYTHONHASHSEED": "0", "TZ": "UTC"}
        command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(built), str(copy)]
        done = subprocess.run(
            command,
            env=environment,
            umask=0o022,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            raise SystemExit(done.stdout)
        made = []
        for path in sorted(built.iterdir()):
            data = path.read_bytes()
            target = into / path.name
            target.write_bytes(_settled(data, epoch) if path.suffix == ".gz" else data)
            made.append(target)
        return made


def _copy(checkout: Path, copy: Path) -> None:
    """The sources alone, with modes that depend on nobody's umask."""
    copy.mkdir()
    for name in _SOURCES:
        source = checkout / name
        if source.is_dir():
            shutil.copytree(source, copy / name, symlinks=True, ignore=_LEFT_OUT)
        else:
            shutil.copy(source, copy / name)
    for path in (copy, *copy.rglob("*")):
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() else 0o644)


def _settled(packed: bytes, epoch: int) -> bytes:
    """A tar.gz with the same files, in order, without an owner, all of that time."""
    written = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(packed)) as before,
        tarfile.open(fileobj=written, mode="w", format=tarfile.PAX_FORMAT) as after,
    ):
        for member in sorted(before.getmembers(), key=lambda each: each.name):
            member.mtime, member.uid, member.gid, member.uname, member.gname = epoch, 0, 0, "", ""
            member.pax_headers = {}
            after.addfile(member, before.extractfile(member) if member.isfile() else None)
    return gzip.compress(written.getvalue(), mtime=epoch)


if __name__ == "__main__":
    sys.exit(main())

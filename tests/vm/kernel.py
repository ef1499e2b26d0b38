# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's own kernel, as a file to boot and a folder of modules, kept in a cache outside the checkout.

Fetched and unpacked, never installed: nothing in /boot or /lib/modules changes. Knows nothing of what is
done with it.
"""

import lzma
import os
import platform
import re
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path
from typing import NamedTuple

PACKAGE = os.environ.get("SMARTROUTER_VM_KERNEL", "linux-image-amd64")
"""Debian's package; one that has a version in its name, such as linux-image-6.1.0-56-amd64, will do too."""

_VERSIONED = re.compile(r"linux-image-\d\S*")
_PATIENCE = 300.0  # seconds for apt and for unpacking
# Of a kernel's 400 MB the guest needs these: the network, what it boots from, what both stand on.
_NEEDED = re.compile(
    r"kernel/(arch|crypto|lib|net|fs/(9p|fscache|netfs|overlayfs)|drivers/virtio)/|kernel/drivers/net/[^/]+$"
    r"|modules\.(builtin|order)"
)


class Missing(Exception):
    """This machine cannot have the kernel, or the guest; the text says why and what would help."""


class Kernel(NamedTuple):
    """`image`: what to boot. `modules`: the folder that belongs at /lib/modules/RELEASE, with modules.dep."""

    release: str
    image: Path
    modules: Path

    def in_order(self, *names: str) -> list[Path]:
        """The files of the modules `names` and of all that they need, in an order to load them in; what is
        built into the kernel is left out."""
        lines = (self.modules / "modules.dep").read_text().splitlines()
        needs = {path: rest.split() for path, _, rest in (line.partition(":") for line in lines)}
        paths = {Path(path).name.removesuffix(".ko").replace("-", "_"): path for path in needs}
        order: dict[str, None] = {}

        def visit(path: str) -> None:
            for other in needs[path]:
                visit(other)
            order[path] = None

        for name in names:
            if name in paths:
                visit(paths[name])
        return [self.modules / path for path in order]


def debian_kernel() -> Kernel:
    """The kernel, from the cache or else from Debian's archive. Raises Missing."""
    if platform.machine() != "x86_64":
        raise Missing(f"the guest is an x86_64 machine, this one is {platform.machine()}")
    for program, package in (("apt-get", "apt"), ("dpkg-deb", "dpkg"), ("busybox", "busybox-static")):
        if not shutil.which(program):
            raise Missing(f"{program} is missing (Debian's package {package})")
    package = _package()
    folder = _cache() / package
    if not folder.is_dir():
        _fetch(package, folder)
    release = package.removeprefix("linux-image-")
    return Kernel(release, folder / "vmlinuz", folder / "modules")


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "smartrouter-vm"


def _package() -> str:
    """The package that holds the kernel itself."""
    if _VERSIONED.fullmatch(PACKAGE):
        return PACKAGE
    listed = _run("apt-cache", "depends", "--important", PACKAGE, otherwise="").split()
    found = [word for word in listed if _VERSIONED.fullmatch(word)]
    if found:
        return found[0]
    kept = sorted(_cache().glob("linux-image-*"), key=lambda path: path.stat().st_mtime)
    if kept:
        return kept[-1].name
    raise Missing(f"apt does not know {PACKAGE}: run apt-get update")


def _fetch(package: str, folder: Path) -> None:
    """Download `package` and unpack it into `folder`, which is there complete or not at all."""
    _cache().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_cache(), prefix=".fetching-") as made:
        work = Path(made)
        work.chmod(0o755)
        _run("apt-get", "download", package, cwd=work)
        archive = next(work.glob("*.deb"))
        new = work / "new"
        new.mkdir()
        release = package.removeprefix("linux-image-")
        _unpack(archive, release, new)
        # depmod wants to see lib/modules/RELEASE.
        base = work / "base/lib/modules"
        base.mkdir(parents=True)
        (base / release).symlink_to(new / "modules")
        _run("busybox", "depmod", "-b", str(work / "base"), release)
        try:
            new.rename(folder)
        except OSError:
            if not folder.is_dir():  # else somebody else was faster
                raise


def _unpack(archive: Path, release: str, new: Path) -> None:
    """Write `vmlinuz` and `modules/` of a kernel's package, modules uncompressed."""
    with (
        subprocess.Popen(["dpkg-deb", "--fsys-tarfile", str(archive)], stdout=subprocess.PIPE) as unpacker,
        tarfile.open(fileobj=unpacker.stdout, mode="r|") as members,
    ):
        for member in members:
            target = _target(member.name.removeprefix("./").removeprefix("usr/"), release)
            content = members.extractfile(member) if target and member.isfile() else None
            if target is None or content is None:
                continue
            path, data = new / target, content.read()
            if path.suffix == ".xz":
                path, data = path.with_suffix(""), lzma.decompress(data)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
    if not (new / "vmlinuz").exists():
        raise Missing(f"{archive.name} holds no kernel {release}")


def _target(path: str, release: str) -> str | None:
    """Where a file of the package goes, if anywhere."""
    if path == f"boot/vmlinuz-{release}":
        return "vmlinuz"
    module = path.removeprefix(f"lib/modules/{release}/")
    return f"modules/{module}" if module != path and _NEEDED.match(module) else None


def _run(*command: str, cwd: Path | None = None, otherwise: str | None = None) -> str:
    """A command's output; if it fails, `otherwise`, or Missing."""
    try:
        done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=_PATIENCE)
    except subprocess.TimeoutExpired as error:
        raise Missing(f"`{' '.join(command)}` takes too long") from error
    if done.returncode == 0:
        return done.stdout
    if otherwise is not None:
        return otherwise
    why = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
    raise Missing(f"`{' '.join(command)}`: {why}")

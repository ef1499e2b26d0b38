# SPDX-License-Identifier: GPL-2.0-or-later
"""The guest's first file system: busybox, some modules, and a script, as a cpio archive.

The script makes a root of the host's (shared over 9p, read-only, under a layer in the guest's memory),
and hands over to a command there. Knows nothing of what that command does.
"""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

from vm.kernel import Kernel, Missing

HOST, RESULTS = "host", "results"  # the names of the two shares
OWN = "/smartrouter-vm"  # in the guest's root: a busybox, and the share RESULTS
REPORTS = f"{OWN}/{RESULTS}"

_MODULES = ("virtio_pci", "9pnet_virtio", "9p", "overlay")
_9P = "trans=virtio,version=9p2000.L,msize=524288"
_FOLDERS = ("bin", "proc", "dev", "modules", "host", "memory", "root")
# /proc/sys/kernel/modprobe makes busybox the loader of what the kernel asks for: its index is the one made.
_INIT = f"""#!/bin/busybox sh
set -e
export PATH=/bin
for module in {{modules}}; do busybox insmod /modules/$module; done
busybox mount -t 9p -o {_9P},ro,cache=loose {HOST} /host
busybox mount -t tmpfs memory /memory
busybox mkdir /memory/upper /memory/work
busybox mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work root /root
cd /root
busybox mkdir -p proc sys dev run tmp lib/modules/{{release}} .{REPORTS}
busybox mount -t proc proc proc
busybox mount -t sysfs sys sys
busybox mount -t devtmpfs dev dev
busybox mkdir -p dev/shm dev/pts
busybox mount -t devpts pts dev/pts
busybox mount -t tmpfs run run
busybox mount -t tmpfs tmp dev/shm
busybox mount -t 9p -o {_9P} {RESULTS} .{REPORTS}
busybox cp /bin/busybox .{OWN}/busybox
busybox ln .{OWN}/busybox .{OWN}/modprobe
busybox mount -o bind ".{{folder}}" lib/modules/{{release}}
echo {OWN}/modprobe > proc/sys/kernel/modprobe
exec /bin/busybox switch_root /root {OWN}/busybox sh {REPORTS}/run
"""


def initramfs(kernel: Kernel) -> bytes:
    """The archive. Process 1 becomes the script `run` of the share RESULTS, in the root of the host."""
    busybox = shutil.which("busybox")
    if busybox is None:
        raise Missing("busybox is missing (Debian's package busybox-static)")
    modules = kernel.in_order(*_MODULES)
    init = _INIT.format(
        modules=" ".join(path.name for path in modules), release=kernel.release, folder=kernel.modules
    )
    files = {"bin/busybox": Path(busybox).read_bytes(), "init": init.encode()}
    files |= {f"modules/{path.name}": path.read_bytes() for path in modules}
    return b"".join(_entries(files))


def _entries(files: dict[str, bytes]) -> Iterator[bytes]:
    """The cpio archive, entry by entry (Documentation/driver-api/early-userspace/buffer-format.rst)."""
    for name in _FOLDERS:
        yield _entry(name, stat.S_IFDIR | 0o755, b"")
    for name, data in files.items():
        yield _entry(name, stat.S_IFREG | 0o755, data)
    yield _entry("TRAILER!!!", 0, b"")


def _entry(name: str, mode: int, data: bytes) -> bytes:
    path = os.fsencode(name) + b"\0"
    numbers = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0]
    header = b"070701" + b"".join(b"%08x" % number for number in numbers) + path
    return _padded(header) + _padded(data)


def _padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 4)

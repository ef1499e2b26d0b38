# SPDX-License-Identifier: GPL-2.0-or-later
"""HMAC with SHA-256, beside the standard library's."""

import hmac
import subprocess
import sys

import pytest

from smartrouter.wire.hmac_sha256 import digest


@pytest.mark.parametrize("key_size", [0, 1, 20, 32, 63, 64])
@pytest.mark.parametrize("message_size", [0, 1, 20, 55, 56, 64, 200])
def test_it_is_what_the_standard_library_makes(key_size: int, message_size: int) -> None:
    key, message = bytes(range(100, 100 + key_size)), bytes(range(message_size))
    assert digest(key, message) == hmac.digest(key, message, "sha256")


def test_it_is_there_without_pythons_own_hashes() -> None:
    code = """if True:
        import sys
        sys.modules["_sha256"] = sys.modules["_sha2"] = None
        from smartrouter.wire.hmac_sha256 import digest, sha256
        print(digest(b"Jefe", b"what do ya want for nothing?").hex())
    """  # RFC 4231, test case 2
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"

# SPDX-License-Identifier: GPL-2.0-or-later
"""The API against its own document, as somebody else's program sees it: schemathesis makes requests that are
as the document says, and such as are not, and looks whether the answers are as it says."""

import subprocess
import sys
from pathlib import Path

import pytest
from web.house import House

PATIENCE = 110  # seconds; it takes about 20
# One event shows the shape of the stream.
CONFIG = "max-stream-events = 1\n"


@pytest.mark.timeout(PATIENCE + 10)
def test_every_answer_is_as_the_document_says(tmp_path: Path) -> None:
    house = House(tmp_path)
    config = tmp_path / "schemathesis.toml"
    config.write_text(CONFIG)
    program = str(Path(sys.executable).with_name("schemathesis"))
    with house.served() as url:
        done = subprocess.run(
            [
                program, "--config-file", str(config), "run", f"{url}/api/v1/openapi.json",
                "--header", f"Authorization: Bearer {house.secrets['all']}",
                "--checks", "all", "--max-examples", "3", "--seed", "7", "--workers", "1", "--no-color",
            ],
            cwd=tmp_path, capture_output=True, text=True, timeout=PATIENCE, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
    assert "passed" in done.stdout

# SPDX-License-Identifier: GPL-2.0-or-later
"""`python -m bench.look URL PASSWORD VIEWERS`: people who look at the web interface, as a program.

Each logs in, follows the event stream, and reads pages over and over. Says `ready` when all are there, and
answers each line with how many pages and events they have seen by then.
"""

import http.client
import re
import sys
import threading
import time
from urllib.parse import urlencode, urlsplit

PAGES = ("/", "/inbox", "/devices", "/log")
EVERY = 0.5  # seconds between two pages of a viewer: nobody clicks faster
_PATIENCE = 30.0


class Viewer:
    """One of them."""

    def __init__(self, url: str, password: str):
        self._place = urlsplit(url).netloc
        self.pages = self.events = 0
        self._cookie = self._logged_in(password)
        stream = http.client.HTTPConnection(self._place, timeout=_PATIENCE)
        stream.request("GET", "/api/v1/events", headers={"Cookie": self._cookie})
        self._stream = stream.getresponse()
        if self._stream.status != http.HTTPStatus.OK:
            raise SystemExit(f"the event stream: {self._stream.status}")
        for work in (self._listen, self._read):
            threading.Thread(target=work, daemon=True).start()

    def _logged_in(self, password: str) -> str:
        connection = http.client.HTTPConnection(self._place, timeout=_PATIENCE)
        connection.request("GET", "/login")
        answer = connection.getresponse()
        found = re.search(rb'name="csrf" value="([^"]+)"', answer.read())
        if found is None:
            raise SystemExit("there is no way to log in")
        visit = str(answer.headers["set-cookie"]).partition(";")[0]
        form = urlencode({"csrf": found[1].decode(), "password": password, "next": "/"})
        headers = {"Cookie": visit, "Content-Type": "application/x-www-form-urlencoded"}
        connection.request("POST", "/login", form, headers)
        answer = connection.getresponse()
        answer.read()
        cookies = [text.partition(";")[0] for text in answer.headers.get_all("set-cookie") or ()]
        if answer.status != http.HTTPStatus.SEE_OTHER or not cookies:
            raise SystemExit(f"logging in: {answer.status}")
        return "; ".join(cookies)

    def _listen(self) -> None:
        while line := self._stream.readline():
            self.events += line.startswith(b"event:")

    def _read(self) -> None:
        connection = http.client.HTTPConnection(self._place, timeout=_PATIENCE)
        while True:
            connection.request("GET", PAGES[self.pages % len(PAGES)], headers={"Cookie": self._cookie})
            answer = connection.getresponse()
            answer.read()
            if answer.status != http.HTTPStatus.OK:
                raise SystemExit(f"a page: {answer.status}")
            self.pages += 1
            time.sleep(EVERY)


def main() -> None:
    url, password, count = sys.argv[1:]
    viewers = [Viewer(url, password) for _ in range(int(count))]
    print("ready", flush=True)
    for _ in sys.stdin:
        print(sum(each.pages for each in viewers), sum(each.events for each in viewers), flush=True)


if __name__ == "__main__":
    main()

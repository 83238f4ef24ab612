"""WHIP and WHEP over HTTP, and the lines that these clients print for the tests to read."""

import json
import signal
import sys
import threading
import time
import urllib.error
import urllib.parse
import urllib.request


def post(url, offer):
    """Posts an offer: (answer, address of the session)."""
    request = urllib.request.Request(url, offer.encode(), {"Content-Type": "application/sdp"})
    try:
        with urllib.request.urlopen(request, timeout=10) as response:
            if response.status != 201:
                sys.exit(f"HTTP {response.status}")
            return response.read().decode(), urllib.parse.urljoin(url, response.headers["Location"])
    except urllib.error.HTTPError as error:
        sys.exit(f"HTTP {error.code}: {error.read().decode()}")


def delete(session):
    request = urllib.request.Request(session, method="DELETE")
    with urllib.request.urlopen(request, timeout=5) as response:
        say(deleted=response.status)


_saying = threading.Lock()


def say(**fields):
    # Picture and sound report from threads of their own.
    with _saying:
        print(json.dumps(fields), flush=True)


def say_frame(code, at):
    """Reports a frame: what its code says and when it is presented, in seconds."""
    number, clock, flash = code if code else (None, 0, False)
    say(frame=[number, clock, flash, at, int(time.time() * 1000)])


def on_signal(stop):
    """Calls `stop` when the test asks this client to leave."""
    signal.signal(signal.SIGTERM, lambda *_: stop())
    signal.signal(signal.SIGINT, lambda *_: stop())

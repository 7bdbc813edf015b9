"""A check for Schemathesis: a server that says that it is busy says when to come
again, and whoever comes again is answered before long. A route that answers
nothing else does not pass."""

import time

import requests
import schemathesis

# How often a call is made again, and the longest pause before, in seconds.
TRIES = 20
LONGEST_PAUSE = 2.0


@schemathesis.check
def busy_for_a_while(_context, response, _case):
    if response.status_code != 503:
        return
    told = response.headers.get("retry-after")
    assert told, "a 503 does not say when to come again"
    pause = min(float(told[0]), LONGEST_PAUSE)
    with requests.Session() as session:
        for _ in range(TRIES):
            time.sleep(pause)
            again = session.send(response.request, timeout=20)
            if again.status_code != 503:
                return
    raise AssertionError(f"it was busy {TRIES + 1} times in a row")

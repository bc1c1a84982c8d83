"""What a story prints: one JSON line for each thing that was done, with the times it must have happened between."""
import json
import sys
from datetime import datetime, timedelta, timezone


def now():
    return datetime.now(timezone.utc)


def rfc3339(at):
    return at.isoformat(timespec="microseconds").replace("+00:00", "Z")


def tell(did, not_before, not_after, **more):
    """Prints that `did` happened between two instants of wall time."""
    line = {"at": rfc3339(now()), "did": did, **more}
    line.update(not_before=rfc3339(not_before), not_after=rfc3339(not_after))
    print(json.dumps(line, ensure_ascii=False), flush=True)


def same(actual, expected, what):
    if actual != expected:
        raise AssertionError(f"{what}: got {actual!r}, expected {expected!r}")


def seconds(number):
    return timedelta(seconds=number)


def fail(error):
    print(f"story failed: {type(error).__name__}: {error}", file=sys.stderr, flush=True)

"""A polling loop on PubNub's own Python SDK: asyncio, batched, sets diffed, SQLite in one transaction a batch.

    sdk_loop.py ORIGIN CHANNELS BATCH FILE

Asks for every batch once a second, for ever. A line on stdin is answered with requests, polls and events so far.
"""
import asyncio
import os
import sqlite3
import sys
import time

from pubnub.pnconfiguration import PNConfiguration
from pubnub.pubnub_asyncio import PubNubAsyncio

origin, channels, batch, path = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4]
counts = {"requests": 0, "polls": 0, "events": 0, "failures": 0}
rosters = {}

database = sqlite3.connect(path, isolation_level=None)
database.execute("PRAGMA journal_mode = WAL")
database.execute("PRAGMA synchronous = FULL")
database.execute("CREATE TABLE events (id INTEGER PRIMARY KEY, channel TEXT, user TEXT, kind TEXT, at REAL)")


def take(result):
    at, rows = time.time(), []
    for channel in result.channels:
        name = channel.channel_name
        now = {occupant.uuid for occupant in channel.occupants}
        before = rosters.get(name, set())
        if now != before:
            rows.extend((name, user, "leave", at) for user in before - now)
            rows.extend((name, user, "join", at) for user in now - before)
            rosters[name] = now
    if rows:
        database.execute("BEGIN")
        database.executemany("INSERT INTO events (channel, user, kind, at) VALUES (?, ?, ?, ?)", rows)
        database.execute("COMMIT")
    counts["events"] += len(rows)


def failed(status):
    """It is asked again in a second, and counts as no poll. The first is told."""
    counts["failures"] += 1
    if counts["failures"] == 1:
        print(f"the SDK loop's request failed: {status.error_data and status.error_data.information}", file=sys.stderr)


async def poll(pubnub, names, first):
    due = first
    while True:
        now = time.monotonic()
        if due > now:
            await asyncio.sleep(due - now)
        due = max(due, time.monotonic()) + 1 if due + 1 < time.monotonic() else due + 1
        envelope = await pubnub.here_now().channels(names).include_uuids(True).future()
        if envelope.result is None:
            failed(envelope.status)
            continue
        take(envelope.result)
        counts["requests"] += 1
        counts["polls"] += len(names)


async def answer():
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    while await reader.readline():
        print(counts["requests"], counts["polls"], counts["events"], flush=True)


async def main():
    config = PNConfiguration()
    config.subscribe_key = "sdk"
    config.user_id = "bench"
    config.origin = origin.removeprefix("http://")
    config.ssl = False
    pubnub = PubNubAsyncio(config)
    names = [f"{number:05x}" for number in range(channels)]
    batches = [names[first:first + batch] for first in range(0, channels, batch)]
    start = time.monotonic()
    loops = [asyncio.ensure_future(poll(pubnub, names, start + number / len(batches))) for number, names in enumerate(batches)]
    done, _ = await asyncio.wait([asyncio.ensure_future(answer()), *loops], return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()
    os._exit(0)


asyncio.run(main())

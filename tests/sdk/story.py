#!/usr/bin/env python3
"""A story of presence, acted by one of PubNub's Python SDKs against an origin (PROTOCOL.md 8).

    story.py --sdk sync|asyncio --origin HOST:PORT --subscribe-key KEY --prefix NAME [--stay SECONDS] [--timeout SECONDS]

Prints a JSON line for each thing done: `at`, `did`, `channel`, `user`, `state`, and `not_before`/`not_after`, two wall
times it must have happened between. Exits 1 when the origin does not do what the SDK's users rely on. Every stay lasts at
least --stay seconds; --timeout is the presence timeout in seconds.
"""
import argparse
import asyncio
import os
import sys
import traceback

from clients import Client
from record import fail, now, same, seconds, tell

PATIENCE = 10  # seconds until something expected counts as not happening
POLLING = 60  # presence timeout of those who poll: a late heartbeat must not undo a leave, so there are few


class Observer:
    """Sees the presence events of channels, and says when each was seen."""

    def __init__(self, client):
        self.client = client
        self.unmatched = []

    async def expect(self, action, channel, user, patience=PATIENCE):
        """Waits for an event and returns it with the time it was seen. Others are kept for later."""
        matches = lambda e: (e.event, e.channel, e.uuid) == (action, channel, user)
        for seen in self.unmatched:
            if matches(seen[1]):
                self.unmatched.remove(seen)
                return seen
        while True:
            try:
                seen = await asyncio.wait_for(self.client.listener.events.get(), patience)
            except asyncio.TimeoutError:
                others = [(e.event, e.channel, e.uuid) for _, e in self.unmatched]
                raise AssertionError(f"no {action} of {user!r} in {channel!r}; seen instead: {others}") from None
            if matches(seen[1]):
                return seen
            self.unmatched.append(seen)

    def nothing_else(self):
        while not self.client.listener.events.empty():
            self.unmatched.append(self.client.listener.events.get_nowait())
        same([(e.event, e.channel, e.uuid) for _, e in self.unmatched], [], "events nobody expected")


class Story:
    def __init__(self, options):
        self.options = options
        self.one = f"{options.prefix}.one"
        self.two = f"{options.prefix}_two"
        # Not for the group: the Python SDK cannot add a name to one that it would have to encode.
        self.odd = f"{options.prefix} é/+&?#%"
        self.channels = {self.one, self.two, self.odd}
        self.group = f"{options.prefix}-group"
        self.clients = []
        self.observer = None

    def client(self, name, timeout=POLLING, heartbeats=True):
        o = self.options
        client = Client(o.sdk, o.origin, o.subscribe_key, f"{o.prefix} {name}/1", timeout, heartbeats)
        self.clients.append(client)
        return client

    async def saw(self, did, channel, user, not_before, occupancy, patience=PATIENCE, **more):
        """Something was done since `not_before`: waits until the observer sees it, checks it and tells."""
        action = {"set_state": "state-change"}.get(did, did)
        seen_at, event = await self.observer.expect(action, channel, user, patience)
        same(event.occupancy, occupancy, f"occupancy at the {action} of {user!r} in {channel!r}")
        if "state" in more:
            same(event.state, more["state"], f"state in the {action} of {user!r}")
        if not int(not_before.timestamp()) <= int(event.timestamp) <= seen_at.timestamp():
            raise AssertionError(f"{action} of {user!r} at {event.timestamp}, not in {not_before} … {seen_at}")
        tell(did, not_before, seen_at, channel=channel, user=user, **more)

    async def asked(self, did, client, build, **more):
        """Makes a call that changes no presence, tells of it and returns its result."""
        before = now()
        result = await client.ask(build)
        tell(did, before, now(), user=client.user, **more)
        return result

    async def stay(self):
        await asyncio.sleep(self.options.stay)

    async def act(self):
        one, two, group = self.one, self.two, self.group
        alice, carol = self.client("alice"), self.client("carol")
        bob = self.client("bob", self.options.timeout)

        await self.asked("add_to_group", alice, lambda p: p.add_channel_to_channel_group().channels([one, two]).channel_group(group))
        listed = await self.asked("list_group", alice, lambda p: p.list_channels_in_channel_group().channel_group(group))
        same(sorted(listed.channels), sorted([one, two]), "channels of the group")
        timetoken = await self.asked("time", alice, lambda p: p.time())
        same(len(str(int(timetoken))), 17, "digits of the time")

        watcher = self.client("observer", heartbeats=False)
        self.observer = Observer(watcher)
        await watcher.subscribe(channels=[f"{channel}-pnpres" for channel in (one, two, self.odd)])
        by_group = self.client("group observer", heartbeats=False)
        await by_group.subscribe(groups=[f"{group}-pnpres"])
        here = await self.asked("here_now", alice, lambda p: p.here_now())
        same([c.channel_name for c in here.channels if c.channel_name in self.channels], [], "watching joins nobody")

        before = now()
        await alice.subscribe(channels=[one, two], with_presence=True)
        await self.saw("join", one, alice.user, before, 1)
        await self.saw("join", two, alice.user, before, 1)
        own = Observer(alice)
        await own.expect("join", one, alice.user)
        await own.expect("join", two, alice.user)

        before = now()
        await bob.heartbeat([one])
        await self.saw("join", one, bob.user, before, 2)
        tell("heartbeat", before, now(), channel=one, user=bob.user)
        _, event = await Observer(by_group).expect("join", one, bob.user)
        same(event.subscription, group, "what matched through the group")

        before = now()
        await carol.subscribe(groups=[group])
        await self.saw("join", one, carol.user, before, 3)
        await self.saw("join", two, carol.user, before, 2)

        beats = asyncio.create_task(self.keep_alive(bob))
        await self.stay()
        await self.states(alice, carol)
        await self.here_now(alice, bob, carol)
        where = await self.asked("where_now", bob, lambda p: p.where_now().uuid(alice.user))
        same(sorted(where.channels), sorted([one, two]), "where alice is")
        where = await self.asked("where_now", bob, lambda p: p.where_now().uuid("nobody"))
        same(where.channels, [], "where nobody is")
        await self.stay()

        before = now()
        alice.unsubscribe(channels=[two])
        await self.saw("leave", two, alice.user, before, 1)
        # The SDK subscribes to the rest anew; were that still on its way, it would bring alice back after she left.
        await self.stay()
        before = now()
        alice.unsubscribe(channels=[one])
        await self.saw("leave", one, alice.user, before, 2)
        state = await self.asked("get_state", bob, lambda p: p.get_state().channels([one]).uuid(alice.user))
        same(state.channels, {one: {}}, "a state dies with the leave")

        await self.odd_channel()
        await self.time_out_silently(bob, beats)
        await self.time_out_killed()
        before = now()
        carol.unsubscribe(groups=[group])
        await self.saw("leave", one, carol.user, before, 0)
        await self.saw("leave", two, carol.user, before, 0)
        await self.stay()

        await self.asked("remove_from_group", alice, lambda p: p.remove_channel_from_channel_group().channels([one]).channel_group(group))
        listed = await self.asked("list_group", alice, lambda p: p.list_channels_in_channel_group().channel_group(group))
        same(listed.channels, [two], "channels left in the group")
        await self.asked("delete_group", alice, lambda p: p.remove_channel_group().channel_group(group))
        listed = await self.asked("list_group", alice, lambda p: p.list_channels_in_channel_group().channel_group(group))
        same(listed.channels, [], "channels of a deleted group")
        here = await self.asked("here_now", alice, lambda p: p.here_now().channels([one, two]))
        same((here.total_channels, here.total_occupancy), (0, 0), "everybody is gone")
        self.observer.nothing_else()

    async def states(self, alice, carol):
        one, two, group = self.one, self.two, self.group
        for state in ({"mood": "fine", "n": 1, "nested": {"list": [1, "ŻÓŁ"]}}, {"mood": "better"}):
            before = now()
            answer = await alice.ask(lambda p: p.set_state().channels([one]).state(state))
            same(answer.state, state, "answer to set_state")
            await self.saw("set_state", one, alice.user, before, 3, state=state)
            await self.stay()
        before = now()
        both = {"role": "agent"}
        await carol.ask(lambda p: p.set_state().channels([two]).channel_groups([group]).state(both))
        await self.saw("set_state", one, carol.user, before, 3, state=both)
        await self.saw("set_state", two, carol.user, before, 2, state=both)
        got = await self.asked("get_state", carol, lambda p: p.get_state().channels([one]).uuid(alice.user))
        same(got.channels, {one: {"mood": "better"}}, "alice's state in one channel")
        got = await self.asked("get_state", carol, lambda p: p.get_state().channels([one, two]).uuid(alice.user))
        same(got.channels, {one: {"mood": "better"}, two: {}}, "alice's states in two")
        got = await self.asked("get_state", alice, lambda p: p.get_state().channel_groups([group]).uuid(carol.user))
        same(got.channels, {one: both, two: both}, "carol's states in the group")

    async def here_now(self, alice, bob, carol):
        one, two, group = self.one, self.two, self.group
        names = {alice.user: {"mood": "better"}, bob.user: None, carol.user: {"role": "agent"}}
        users = {one: [alice.user, bob.user, carol.user], two: [alice.user, carol.user]}

        async def ask(what, build, expected):
            result = await self.asked("here_now", bob, build, form=what)
            found = {c.channel_name: (c.occupancy, [o.uuid for o in c.occupants or []]) for c in result.channels}
            total = sum(occupancy for occupancy, _ in found.values())
            same((result.total_channels, result.total_occupancy), (len(found), total), f"totals of {what}")
            # Other stories may be acted with the same key: a global answer tells of them too.
            ours = {channel: found[channel] for channel in found if what != "global" or channel in self.channels}
            same(ours, expected, what)
            return result

        all_of = {channel: (len(listed), listed) for channel, listed in users.items()}
        only_one = {one: all_of[one]}
        counts = {channel: (occupancy, []) for channel, (occupancy, _) in all_of.items()}
        await ask("one", lambda p: p.here_now().channels([one]), only_one)
        await ask("many", lambda p: p.here_now().channels([one, two]), all_of)
        await ask("groups", lambda p: p.here_now().channel_groups([group]), all_of)
        await ask("channel and group", lambda p: p.here_now().channels([one]).channel_groups([group]), all_of)
        await ask("global", lambda p: p.here_now(), all_of)
        await ask("no uuids", lambda p: p.here_now().channels([one, two]).include_uuids(False), counts)
        await ask("one, no uuids", lambda p: p.here_now().channels([one]).include_uuids(False), {one: (3, [])})
        await ask("limit", lambda p: p.here_now().channels([one]).limit(2), {one: (3, users[one][:2])})
        await ask("limit and offset", lambda p: p.here_now().channels([one]).limit(2).offset(2), {one: (3, users[one][2:])})
        await ask("offset beyond", lambda p: p.here_now().channels([one]).limit(2).offset(3), {one: (3, [])})
        await ask("limit 0", lambda p: p.here_now().channels([one]).limit(0), {one: (3, [])})
        result = await ask("state", lambda p: p.here_now().channels([one]).include_state(True), only_one)
        same({o.uuid: o.state for o in result.channels[0].occupants}, names, "states in here_now")

    async def odd_channel(self):
        """erin visits a channel whose name has all that an address gives a meaning to."""
        odd, erin = self.odd, self.client("erin")
        before = now()
        await erin.subscribe(channels=[odd])
        await self.saw("join", odd, erin.user, before, 1)
        await self.stay()
        state, before = {"%": "&?#+ é"}, now()
        await erin.ask(lambda p: p.set_state().channels([odd]).state(state))
        await self.saw("set_state", odd, erin.user, before, 1, state=state)
        here = await self.asked("here_now", erin, lambda p: p.here_now().channels([odd]).include_state(True))
        same([(o.uuid, o.state) for o in here.channels[0].occupants], [(erin.user, state)], "the odd channel")
        await self.stay()
        before = now()
        erin.unsubscribe(channels=[odd])
        await self.saw("leave", odd, erin.user, before, 0)

    async def keep_alive(self, bob):
        """bob does not subscribe: only his heartbeats keep him."""
        while True:
            await asyncio.sleep(self.options.timeout / 3)
            await bob.heartbeat([self.one])

    async def time_out_silently(self, bob, beats):
        """bob's heartbeats end without a word."""
        beats.cancel()
        try:
            await beats
        except asyncio.CancelledError:
            pass
        before = now()
        await bob.heartbeat([self.one])
        patience = self.options.timeout + PATIENCE
        await self.saw("timeout", self.one, bob.user, before + seconds(self.options.timeout), 1, patience)

    async def time_out_killed(self):
        """dave subscribes in a process of his own, which is killed while it polls."""
        o = self.options
        user = f"{o.prefix} dave/1"
        before = now()
        dave = await asyncio.create_subprocess_exec(
            sys.executable, os.path.abspath(__file__), "--sdk", o.sdk, "--origin", o.origin, "--subscribe-key", o.subscribe_key,
            "--prefix", o.prefix, "--timeout", str(o.timeout), "--only-subscribe", self.one,
        )
        await self.saw("join", self.one, user, before, 2, patience=3 * PATIENCE)
        await asyncio.sleep(max(o.stay, 0.5))
        before = now()
        dave.kill()
        await dave.wait()
        await self.saw("timeout", self.one, user, before + seconds(o.timeout), 1, o.timeout + PATIENCE)


async def only_subscribe(options):
    """What dave does until he is killed."""
    dave = Client(options.sdk, options.origin, options.subscribe_key, f"{options.prefix} dave/1", options.timeout)
    await dave.subscribe(channels=[options.only_subscribe])
    await asyncio.sleep(3600)


async def run(options):
    if options.only_subscribe:
        return await only_subscribe(options)
    story = Story(options)
    await story.act()
    for client in story.clients:
        await client.stop()


def parse():
    parser = argparse.ArgumentParser()
    parser.add_argument("--sdk", choices=["sync", "asyncio"], required=True)
    parser.add_argument("--origin", required=True, help="HOST:PORT")
    parser.add_argument("--subscribe-key", required=True)
    parser.add_argument("--prefix", required=True, help="what every channel and user begins with")
    parser.add_argument("--stay", type=float, default=0.5)
    parser.add_argument("--timeout", type=int, default=3)
    parser.add_argument("--only-subscribe", help=argparse.SUPPRESS)
    return parser.parse_args()


if __name__ == "__main__":
    status = 0
    try:
        asyncio.run(run(parse()))
    except Exception as error:
        fail(error)
        traceback.print_exc()
        status = 1
    # The threaded SDK keeps threads in polls that nothing ends: leave without waiting for them.
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)

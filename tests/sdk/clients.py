"""PubNub's Python SDKs, the threaded and the asyncio one, behind the same few verbs."""
import asyncio

from pubnub.callbacks import SubscribeCallback
from pubnub.endpoints.presence.heartbeat import Heartbeat
from pubnub.enums import PNStatusCategory
from pubnub.pnconfiguration import PNConfiguration
from pubnub.pubnub import PubNub
from pubnub.pubnub_asyncio import PubNubAsyncio

from record import now


class Listener(SubscribeCallback):
    """Puts what the SDK tells, from whatever thread, into queues of the event loop."""

    def __init__(self, loop):
        self.loop = loop
        self.connected = asyncio.Event()
        self.events = asyncio.Queue()

    def status(self, pubnub, status):
        if status.category == PNStatusCategory.PNConnectedCategory:
            self.loop.call_soon_threadsafe(self.connected.set)

    def presence(self, pubnub, event):
        self.loop.call_soon_threadsafe(self.events.put_nowait, (now(), event))

    def message(self, pubnub, message):
        raise AssertionError(f"nobody publishes, yet here is {message.message!r}")


class Client:
    """One user's SDK: `kind` is "sync" or "asyncio"."""

    def __init__(self, kind, origin, subscribe_key, user, timeout, heartbeats=True):
        config = PNConfiguration()
        config.subscribe_key = subscribe_key
        config.publish_key = "pub-c-none"
        config.user_id = self.user = user
        config.origin = origin
        config.ssl = False
        config.enable_presence_heartbeat = heartbeats
        config.set_presence_timeout_with_custom_interval(timeout, timeout / 3)
        self.kind = kind
        self.pubnub = PubNub(config) if kind == "sync" else PubNubAsyncio(config)
        self.listener = Listener(asyncio.get_running_loop())
        self.pubnub.add_listener(self.listener)

    async def ask(self, build):
        """Makes one call and returns its result."""
        call = build(self.pubnub)
        if self.kind == "sync":
            return (await asyncio.to_thread(call.sync)).result
        return await call.result()

    async def subscribe(self, channels=(), groups=(), with_presence=False):
        builder = self.pubnub.subscribe().channels(list(channels)).channel_groups(list(groups))
        (builder.with_presence() if with_presence else builder).execute()
        await asyncio.wait_for(self.listener.connected.wait(), 10)

    def unsubscribe(self, channels=(), groups=()):
        self.pubnub.unsubscribe().channels(list(channels)).channel_groups(list(groups)).execute()

    async def heartbeat(self, channels):
        await self.ask(lambda pubnub: Heartbeat(pubnub).channels(list(channels)))

    async def stop(self):
        if self.kind == "sync":
            await asyncio.to_thread(self.pubnub.stop)
        else:
            await self.pubnub.stop()

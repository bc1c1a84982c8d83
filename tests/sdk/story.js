#!/usr/bin/env node
// The same story as story.py, acted by PubNub's JavaScript SDK, with the same lines.
//
//     story.js --origin HOST:PORT --subscribe-key KEY --prefix NAME [--stay SECONDS] [--timeout SECONDS]
'use strict';
const assert = require('node:assert/strict');
const { parseArgs } = require('node:util');
const PubNub = require('pubnub');

const PATIENCE = 10; // seconds until something expected counts as not happening
const POLLING = 60; // presence timeout of those who poll: a late heartbeat must not undo a leave, so there are few

const { values: options } = parseArgs({
  options: {
    origin: { type: 'string' },
    'subscribe-key': { type: 'string' },
    prefix: { type: 'string' },
    stay: { type: 'string', default: '0.5' },
    timeout: { type: 'string', default: '3' },
  },
});
const stay = Number(options.stay);
const timeout = Number(options.timeout);

const sleep = (seconds) => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
// The clock tells milliseconds, rounded down: what it reads is not before, one more is not after.
const before = () => Date.now();
const after = () => Date.now() + 1;

const rfc3339 = (ms) => new Date(ms).toISOString().replace('Z', '000Z');

function tell(did, notBefore, notAfter, more) {
  const times = { not_before: rfc3339(notBefore), not_after: rfc3339(notAfter) };
  console.log(JSON.stringify({ at: rfc3339(Date.now()), did, ...more, ...times }));
}

/** One user's SDK. Presence events go to `events`, or to who waits for them. */
class Client {
  constructor(user, settings = {}) {
    this.user = user;
    this.pubnub = new PubNub({
      subscribeKey: options['subscribe-key'],
      publishKey: 'pub-c-none',
      userId: user,
      origin: options.origin,
      ssl: false,
      ...settings,
    });
    this.events = [];
    this.waiting = [];
    this.connected = new Promise((resolve) => {
      this.pubnub.addListener({
        status: (status) => status.category === 'PNConnectedCategory' && resolve(),
        presence: (event) => this.see({ event, at: after() }),
        message: (message) => assert.fail(`nobody publishes, yet here is ${JSON.stringify(message)}`),
      });
    });
  }

  see(seen) {
    const index = this.waiting.findIndex(({ matches }) => matches(seen.event));
    if (index < 0) this.events.push(seen);
    else this.waiting.splice(index, 1)[0].resolve(seen);
  }

  /** Waits for an event, and returns it with the time it was seen. */
  expect(action, channel, user, patience = PATIENCE) {
    const matches = (event) => event.action === action && event.channel === channel && event.uuid === user;
    const index = this.events.findIndex(({ event }) => matches(event));
    if (index >= 0) return this.events.splice(index, 1)[0];
    return new Promise((resolve, reject) => {
      const waiting = { matches, resolve: (seen) => (clearTimeout(timer), resolve(seen)) };
      const timer = setTimeout(() => {
        const others = this.events.map(({ event }) => [event.action, event.channel, event.uuid]);
        reject(new Error(`no ${action} of ${user} in ${channel}; seen instead: ${JSON.stringify(others)}`));
      }, patience * 1000);
      this.waiting.push(waiting);
    });
  }

  async subscribe(parameters) {
    this.pubnub.subscribe(parameters);
    await Promise.race([this.connected, sleep(PATIENCE).then(() => assert.fail(`${this.user} is not connected`))]);
  }

  async heartbeat(channels) {
    await this.pubnub.heartbeat({ channels, channelGroups: [], heartbeat: timeout });
  }
}

const name = (who) => `${options.prefix} ${who}/é`;
const clients = [];
function client(who, settings = { presenceTimeout: POLLING }) {
  clients.push(new Client(name(who), settings));
  return clients.at(-1);
}

const one = `${options.prefix}.one`;
const two = `${options.prefix}_two é`;
const odd = `${options.prefix} é/+&?#%'`;
const group = `${options.prefix}-group`;
const isOurs = (channel) => [one, two, odd].includes(channel);
let observer;

/** Something was done since `since`: waits until the observer sees it, checks it and tells. */
async function saw(did, channel, user, since, occupancy, more = {}, patience = PATIENCE) {
  const action = did === 'set_state' ? 'state-change' : did;
  const { event, at } = await observer.expect(action, channel, user, patience);
  assert.equal(event.occupancy, occupancy, `occupancy at the ${action} of ${user} in ${channel}`);
  if (more.state) assert.deepEqual(event.state, more.state);
  assert.ok(Math.floor(since / 1000) <= event.timestamp && event.timestamp * 1000 <= at, `time of the ${action}`);
  tell(did, since, at, { channel, user, ...more });
}

/** Makes a call that changes no presence, tells of it and returns its result. */
async function asked(did, who, call, more = {}) {
  const since = before();
  const result = await call(who.pubnub);
  tell(did, since, after(), { user: who.user, ...more });
  return result;
}

async function story() {
  const [alice, carol] = [client('alice'), client('carol')];
  const bob = client('bob', {});

  await asked('add_to_group', alice, (p) => p.channelGroups.addChannels({ channels: [one, two], channelGroup: group }));
  const list = () => asked('list_group', alice, (p) => p.channelGroups.listChannels({ channelGroup: group }));
  assert.deepEqual((await list()).channels.sort(), [one, two].sort());
  assert.ok((await asked('list_groups', alice, (p) => p.channelGroups.listGroups())).groups.includes(group));
  assert.equal(String((await asked('time', alice, (p) => p.time())).timetoken).length, 17);

  observer = client('observer', {});
  await observer.subscribe({ channels: [one, two, odd].map((channel) => `${channel}-pnpres`) });
  const byGroup = client('group observer', {});
  await byGroup.subscribe({ channelGroups: [`${group}-pnpres`] });
  const { channels: elsewhere } = await asked('here_now', alice, (p) => p.hereNow({}));
  assert.ok(!Object.keys(elsewhere).some(isOurs), 'watching joins nobody');

  let since = before();
  await alice.subscribe({ channels: [one, two], withPresence: true });
  await saw('join', one, alice.user, since, 1);
  await saw('join', two, alice.user, since, 1);
  await alice.expect('join', one, alice.user);
  await alice.expect('join', two, alice.user);

  since = before();
  await bob.heartbeat([one]);
  await saw('join', one, bob.user, since, 2);
  tell('heartbeat', since, after(), { channel: one, user: bob.user });
  assert.equal((await byGroup.expect('join', one, bob.user)).event.subscription, `${group}-pnpres`);
  const beats = setInterval(() => bob.heartbeat([one]), (timeout * 1000) / 3);

  since = before();
  await carol.subscribe({ channelGroups: [group] });
  await saw('join', one, carol.user, since, 3);
  await saw('join', two, carol.user, since, 2);
  await sleep(stay);

  await states(alice, carol);
  await hereNow(alice, bob, carol);
  const whereIs = async (uuid) => (await asked('where_now', bob, (p) => p.whereNow({ uuid }))).channels.sort();
  assert.deepEqual(await whereIs(alice.user), [one, two].sort());
  assert.deepEqual(await whereIs('nobody'), []);
  await sleep(stay);

  since = before();
  alice.pubnub.unsubscribe({ channels: [two] });
  await saw('leave', two, alice.user, since, 1);
  // The SDK subscribes to the rest anew; were that still on its way, it would bring alice back after she left.
  await sleep(stay);
  since = before();
  alice.pubnub.unsubscribeAll();
  await saw('leave', one, alice.user, since, 2);
  const left = await asked('get_state', bob, (p) => p.getState({ channels: [one], uuid: alice.user }));
  assert.deepEqual(left.channels, { [one]: {} }, 'a state dies with the leave');

  await oddChannel();
  clearInterval(beats);
  since = before();
  await bob.heartbeat([one]);
  await saw('timeout', one, bob.user, since + timeout * 1000, 1, {}, timeout + PATIENCE);
  await timeOutOffline();

  since = before();
  carol.pubnub.unsubscribe({ channelGroups: [group] });
  await saw('leave', one, carol.user, since, 0);
  await saw('leave', two, carol.user, since, 0);
  await sleep(stay);

  await asked('remove_from_group', alice, (p) => p.channelGroups.removeChannels({ channels: [one], channelGroup: group }));
  assert.deepEqual((await list()).channels, [two]);
  await asked('delete_group', alice, (p) => p.channelGroups.deleteGroup({ channelGroup: group }));
  assert.deepEqual((await list()).channels, []);
  assert.equal((await asked('here_now', alice, (p) => p.hereNow({ channels: [one, two] }))).totalOccupancy, 0);
  const unexpected = observer.events.map(({ event }) => [event.action, event.channel, event.uuid]);
  assert.deepEqual(unexpected, [], 'events nobody expected');
}

async function states(alice, carol) {
  for (const state of [{ mood: 'fine', n: 1, nested: { list: [1, 'ŻÓŁ'] } }, { mood: 'better' }]) {
    const since = before();
    const answer = await alice.pubnub.setState({ channels: [one], state });
    assert.deepEqual(answer.state, state);
    await saw('set_state', one, alice.user, since, 3, { state });
    await sleep(stay);
  }
  const since = before();
  const state = { role: 'agent' };
  await carol.pubnub.setState({ channelGroups: [group], state });
  await saw('set_state', one, carol.user, since, 3, { state });
  await saw('set_state', two, carol.user, since, 2, { state });
  const get = (parameters) => asked('get_state', carol, (p) => p.getState(parameters));
  assert.deepEqual((await get({ channels: [one], uuid: alice.user })).channels, { [one]: { mood: 'better' } });
  // The SDK hands out the whole payload of the form with several channels (PROTOCOL.md 2.3).
  const both = (await get({ channels: [one, two], uuid: alice.user })).channels;
  assert.deepEqual(both.channels, { [one]: { mood: 'better' }, [two]: {} });
  const grouped = (await get({ channelGroups: [group], uuid: carol.user })).channels;
  assert.deepEqual(grouped.channels, { [one]: state, [two]: state });
}

async function hereNow(alice, bob, carol) {
  const users = { [one]: [alice.user, bob.user, carol.user], [two]: [alice.user, carol.user] };
  const all = Object.fromEntries(Object.entries(users).map(([channel, who]) => [channel, [who.length, who]]));
  const counts = Object.fromEntries(Object.entries(all).map(([channel, [occupancy]]) => [channel, [occupancy, []]]));
  async function ask(form, parameters, expected) {
    const result = await asked('here_now', bob, (p) => p.hereNow(parameters), { form });
    const found = Object.values(result.channels).map((c) => [c.name, [c.occupancy, c.occupants.map((o) => o.uuid)]]);
    assert.equal(result.totalChannels, found.length, form);
    assert.equal(result.totalOccupancy, found.reduce((sum, [, [occupancy]]) => sum + occupancy, 0), form);
    // Other stories may be acted with the same key: a global answer tells of them too.
    const ours = found.filter(([channel]) => form !== 'global' || isOurs(channel));
    assert.deepEqual(Object.fromEntries(ours), expected, form);
    return result;
  }
  await ask('one', { channels: [one] }, { [one]: all[one] });
  await ask('many', { channels: [one, two] }, all);
  await ask('groups', { channelGroups: [group] }, all);
  await ask('channel and group', { channels: [one], channelGroups: [group] }, all);
  await ask('global', {}, all);
  await ask('no uuids', { channels: [one, two], includeUUIDs: false }, counts);
  await ask('one, no uuids', { channels: [one], includeUUIDs: false }, { [one]: [3, []] });
  await ask('limit', { channels: [one], limit: 2 }, { [one]: [3, users[one].slice(0, 2)] });
  await ask('limit and offset', { channels: [one], limit: 2, offset: 2 }, { [one]: [3, users[one].slice(2)] });
  await ask('offset beyond', { channels: [one], limit: 2, offset: 3 }, { [one]: [3, []] });
  await ask('limit 0', { channels: [one], limit: 0 }, { [one]: [3, []] });
  const { channels } = await ask('state', { channels: [one], includeState: true }, { [one]: all[one] });
  assert.deepEqual(
    channels[one].occupants.map((o) => [o.uuid, o.state]),
    [[alice.user, { mood: 'better' }], [bob.user, undefined], [carol.user, { role: 'agent' }]],
  );
}

/** erin visits a channel whose name has all that an address gives a meaning to. */
async function oddChannel() {
  const erin = client('erin');
  let since = before();
  await erin.subscribe({ channels: [odd] });
  await saw('join', odd, erin.user, since, 1);
  await sleep(stay);
  const state = { '%': '&?#+ é' };
  since = before();
  await erin.pubnub.setState({ channels: [odd], state });
  await saw('set_state', odd, erin.user, since, 1, { state });
  const here = await asked('here_now', erin, (p) => p.hereNow({ channels: [odd], includeState: true }));
  assert.deepEqual(here.channels[odd].occupants, [{ uuid: erin.user, state }]);
  await sleep(stay);
  since = before();
  erin.pubnub.unsubscribe({ channels: [odd] });
  await saw('leave', odd, erin.user, since, 0);
}

/** dave's device goes offline while it polls: the connection is gone, no leave is said. */
async function timeOutOffline() {
  const dave = client('dave', { presenceTimeout: timeout });
  let since = before();
  await dave.subscribe({ channels: [one] });
  await saw('join', one, dave.user, since, 2);
  await sleep(Math.max(stay, 0.5));
  since = before();
  dave.pubnub.destroy(true);
  await saw('timeout', one, dave.user, since + timeout * 1000, 1, {}, timeout + PATIENCE);
}

story().then(
  () => {
    for (const { pubnub } of clients) pubnub.destroy(true);
    process.exit(0);
  },
  (error) => {
    console.error(`story failed: ${error.stack ?? error}`);
    process.exit(1);
  },
);

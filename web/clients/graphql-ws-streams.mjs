// graphql-ws against operations that follow a script: how streams begin, go on and end, and what a restart of the server is.
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { assert, check, run } from './cases.mjs';

const [first, second] = process.env.GRANTWOOD_STAGES.split(' ').map((url) => url.replace(/^http/, 'ws'));

const connect = (options = {}) => createClient({ url: first, webSocketImpl: WebSocket, retryAttempts: 0, ...options });

check('events, and their end', async () => {
  const client = connect();
  const all = [];
  for await (const event of client.iterate({ query: 'subscription two' })) all.push(event);
  assert.equal(all.length, 2);
  await client.dispose();
});

check('an error before the first event', async () => {
  const client = connect();
  await assert.rejects(client.iterate({ query: 'wrong' }).next(), (errors) => errors[0].message === 'wrong');
  await client.dispose();
});

check('a fault in the middle', async () => {
  const client = connect();
  await assert.rejects(client.iterate({ query: 'subscription panic' }).next(), (errors) => errors[0].extensions.code === 'INTERNAL');
  await client.dispose();
});

check('a stream that the client ends', async () => {
  const client = connect();
  const stream = client.iterate({ query: 'subscription flood' });
  for (let i = 0; i < 3; i++) assert.equal((await stream.next()).value.data.length, 64 << 10);
  await stream.return();
  for await (const event of client.iterate({ query: 'query one' })) assert.ok(event.data);
  await client.dispose();
});

check('many streams at once', async () => {
  const client = connect();
  const streams = Array.from({ length: 90 }, async () => {
    let events = 0;
    for await (const _ of client.iterate({ query: 'subscription two' })) events++;
    return events;
  });
  for (const events of await Promise.all(streams)) assert.equal(events, 2);
  await client.dispose();
});

check('a restart: the client comes back by itself, and its subscription goes on', async () => {
  const events = [];
  let connected = 0;
  let closed;
  const client = createClient({
    url: () => (connected ? second : first), // as behind a name that leads to a server that is there
    webSocketImpl: WebSocket, retryAttempts: 1, retryWait: async () => {},
    on: { connected: () => connected++, closed: (event) => (closed ??= event) },
  });
  const done = new Promise((resolve, reject) =>
    client.subscribe({ query: 'subscription after' }, { next: (e) => { events.push(e); resolve(); }, error: reject, complete: () => reject(new Error('it ended')) }));
  const stays = new Promise((resolve, reject) =>
    client.subscribe({ query: 'query wait' }, { next: resolve, error: reject, complete: () => {} }));
  while (!connected) await new Promise((r) => setTimeout(r, 10));
  const answer = await fetch(process.env.GRANTWOOD_DRAIN, { method: 'POST' }); // waits for the two, and lets the query go on
  assert.equal(answer.status, 200);
  assert.ok((await stays).data);
  await done;
  assert.equal(closed.code, 1012);
  assert.equal(connected, 2);
  assert.equal(events.length, 1);
  await client.dispose();
});

await run();

// graphql-ws: queries and mutations over one socket.
import { assert, authorization, check, documents, ids, run, socketURL, text, token, variables } from './cases.mjs';

// docs: graphql-ws
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const client = createClient({
  url: socketURL,
  webSocketImpl: WebSocket, // in browsers the default does
  connectionParams: { Authorization: `Bearer ${token}` },
});

/** One operation, and its one answer. */
const ask = (payload) =>
  new Promise((resolve, reject) => {
    let answer;
    client.subscribe(payload, { next: (value) => (answer = value), error: reject, complete: () => resolve(answer) });
  });
// end

for (const name of Object.keys(documents)) {
  check(`the dashboard's ${name}`, async () => {
    const answer = await ask({ query: text(name), variables: variables[name] });
    assert.equal(answer.errors, undefined);
    assert.ok(answer.data);
  });
}

check('many operations at once', async () => {
  const answers = await Promise.all(Array.from({ length: 60 }, () => ask({ query: text('Thing'), variables: { id: ids.key } })));
  for (const { data } of answers) assert.equal(data.node.id, ids.key);
});

check('an iterator', async () => {
  const all = [];
  for await (const answer of client.iterate({ query: '{ __typename }' })) all.push(answer.data);
  assert.deepEqual(all, [{ __typename: 'Query' }]);
});

check('an operation that is wrong', async () => {
  await assert.rejects(ask({ query: '{ nothing }' }), (errors) => {
    assert.ok(Array.isArray(errors));
    assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
    return true;
  });
});

check('an operation that was chosen wrongly', async () => {
  await assert.rejects(ask({ query: 'query A { __typename } query B { __typename }', operationName: 'C' }), Array.isArray);
});

/** A socket of its own, and how it ended. */
const closing = (options, act) =>
  new Promise((resolve, reject) => {
    const other = createClient({
      url: socketURL, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0, onNonLazyError: () => {}, ...options,
      on: { closed: (event) => resolve(event), connected: (socket) => act?.(socket, other), error: () => {}, ...options.on },
    });
    setTimeout(() => reject(new Error('it did not close')), 10_000).unref();
  });

check('a token that is not good', async () => {
  const event = await closing({ connectionParams: { Authorization: 'Bearer nonsense' } });
  assert.equal(event.code, 4403);
  assert.equal(event.reason, 'Forbidden');
});

check('no token', async () => {
  const nobody = createClient({ url: socketURL, webSocketImpl: WebSocket });
  for await (const { data } of nobody.iterate({ query: '{ serverInfo { version } }' })) assert.ok(data.serverInfo.version);
  await nobody.dispose();
});

check('the token in headers', async () => {
  const other = createClient({ url: socketURL, webSocketImpl: WebSocket, connectionParams: () => ({ headers: { authorization } }) });
  for await (const { data } of other.iterate({ query: '{ viewer { kind } }' })) assert.equal(data.viewer.kind, 'USER');
  await other.dispose();
});

check('pings of the client', async () => {
  await new Promise((resolve, reject) => {
    const other = createClient({
      url: socketURL, webSocketImpl: WebSocket, lazy: false, keepAlive: 20, onNonLazyError: reject,
      on: { pong: (received) => { if (received) { other.dispose(); resolve(); } } },
    });
  });
});

check('a client that leaves', async () => {
  const event = await closing({}, (_, other) => other.dispose());
  assert.equal(event.code, 1000);
});

check('a second connection_init', async () => {
  const event = await closing({}, (socket) => socket.send('{"type":"connection_init"}'));
  assert.equal(event.code, 4429);
});

check('a subprotocol that nobody knows', async () => {
  const code = await new Promise((resolve) => {
    const socket = new WebSocket(socketURL, []);
    socket.on('close', resolve);
  });
  assert.equal(code, 4406);
});

await run();

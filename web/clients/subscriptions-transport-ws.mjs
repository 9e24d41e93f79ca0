// subscriptions-transport-ws: the client of the legacy protocol, which old applications still have.
import { assert, authorization, check, documents, run, socketURL, text, variables } from './cases.mjs';

// docs: subscriptions-transport-ws
import { SubscriptionClient } from 'subscriptions-transport-ws';
import WebSocket from 'ws';

const client = new SubscriptionClient(socketURL, { reconnect: true, connectionParams: { Authorization: authorization } }, WebSocket);
// end

const ask = (request, on = client) =>
  new Promise((resolve, reject) => {
    let answer;
    on.request(request).subscribe({ next: (value) => (answer = value), error: reject, complete: () => resolve(answer) });
  });

for (const name of Object.keys(documents)) {
  check(`the dashboard's ${name}`, async () => {
    const answer = await ask({ query: text(name), variables: variables[name] });
    assert.equal(answer.errors, undefined);
    assert.ok(answer.data);
  });
}

check('an operation that is wrong', async () => {
  await assert.rejects(ask({ query: '{ nothing nowhere }' }), (error) => /nothing/.test(error.message ?? JSON.stringify(error)));
});

check('a token that is not good', async () => {
  const message = await new Promise((resolve) => {
    new SubscriptionClient(socketURL, { connectionParams: { Authorization: 'Bearer nonsense' }, connectionCallback: (error) => resolve(error?.message) }, WebSocket);
  });
  assert.equal(message, 'Forbidden');
});

const [stage] = process.env.GRANTWOOD_STAGES.split(' ').map((url) => url.replace(/^http/, 'ws'));

check('events, and their end', async () => {
  const other = new SubscriptionClient(stage, {}, WebSocket);
  let events = 0;
  await new Promise((resolve, reject) =>
    other.request({ query: 'subscription two' }).subscribe({ next: () => events++, error: reject, complete: resolve }));
  assert.equal(events, 2);
  other.close();
});

check('a stream that the client ends', async () => {
  const other = new SubscriptionClient(stage, {}, WebSocket);
  await new Promise((resolve, reject) => {
    const { unsubscribe } = other.request({ query: 'subscription flood' }).subscribe({ next: () => { unsubscribe(); resolve(); }, error: reject });
  });
  assert.ok((await ask({ query: 'query one' }, other)).data);
  other.close();
});

check('a restart', async () => {
  const other = new SubscriptionClient(stage, { reconnect: false }, WebSocket);
  const gone = new Promise((resolve) => other.onDisconnected(resolve));
  let ended = false;
  const answer = ask({ query: 'query wait' }, other);
  other.request({ query: 'subscription silence' }).subscribe({ complete: () => (ended = true) });
  await new Promise((resolve) => other.onConnected(resolve));
  await fetch(process.env.GRANTWOOD_DRAIN, { method: 'POST' });
  assert.ok((await answer).data);
  await gone;
  assert.equal(ended, false);
});

await run();

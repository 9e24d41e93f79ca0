// graphql-sse in its mode of distinct connections: one request, and its answer is a stream.
import { assert, authorization, check, documents, ids, run, text, token, url, variables } from './cases.mjs';

// docs: graphql-sse
import { createClient } from 'graphql-sse';

const client = createClient({
  url,
  headers: { Authorization: `Bearer ${token}` },
});

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

check('an iterator ends by itself', async () => {
  const all = [];
  for await (const { data } of client.iterate({ query: text('Thing'), variables: { id: ids.key } })) all.push(data.node.id);
  assert.deepEqual(all, [ids.key]);
});

check('an operation that is wrong: the error is in the stream', async () => {
  const { errors, data } = await ask({ query: '{ nothing }' });
  assert.equal(errors[0].extensions.code, 'GRAPHQL_VALIDATION_FAILED');
  assert.equal(data, undefined);
});

check('the stream as it is: a type, no cache, one event and an end with data', async () => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { accept: 'text/event-stream', 'content-type': 'application/json', authorization },
    body: JSON.stringify({ query: '{ __typename }' }),
  });
  assert.match(answer.headers.get('content-type'), /^text\/event-stream/);
  assert.match(answer.headers.get('cache-control'), /no-cache/);
  assert.equal(answer.headers.get('x-accel-buffering'), 'no');
  const events = (await answer.text()).split('\n\n').filter((e) => e && !e.startsWith(':'));
  assert.equal(events.length, 2);
  assert.match(events[0], /^event: next\ndata: {/);
  assert.match(events[1], /^event: complete\ndata:/);
});

check('by GET, as an EventSource asks', async () => {
  const answer = await fetch(`${url}?query=${encodeURIComponent('{ __typename }')}`, { headers: { accept: 'text/event-stream', authorization } });
  assert.match(await answer.text(), /event: next\ndata: {.*"Query"/);
});

check('JSON wins where both are as welcome', async () => {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { accept: 'application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed', 'content-type': 'application/json', authorization },
    body: JSON.stringify({ query: '{ __typename }' }),
  });
  assert.match(answer.headers.get('content-type'), /json/);
});

await run();

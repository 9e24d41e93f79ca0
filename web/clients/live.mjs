// Subscriptions by every client that has them: events arrive, are shown by the caches, and go on after a break.
import { ApolloClient, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { Client, fetchExchange, subscriptionExchange } from '@urql/core';
import { cacheExchange } from '@urql/exchange-graphcache';
import { createClient as createEventClient } from 'graphql-sse';
import { createClient } from 'graphql-ws';
import { SubscriptionClient } from 'subscriptions-transport-ws';
import WebSocket from 'ws';
import { assert, authorization, check, ids, post, run, socketURL, url } from './cases.mjs';

const toggled = 'subscription Toggled($after: ID) { keyToggled(after: $after) { eventId status key { id name status } } }';

const set = async (enabled) => {
  const { data, errors } = await post('mutation ($id: ID!, $enabled: Boolean!) { setApiKeyEnabled(input: {keyId: $id, enabled: $enabled}) { key { status } userErrors { message } } }',
    { id: ids.key, enabled });
  assert.equal(errors, undefined);
  assert.deepEqual(data.setApiKeyEnabled.userErrors, []);
};

/** Toggles the key until something comes of it: no protocol says when a subscription has begun. */
async function until(event) {
  let arrived = false;
  event.then(() => (arrived = true), () => (arrived = true));
  for (let enabled = false; !arrived; enabled = !enabled) {
    await set(enabled);
    await Promise.race([event, new Promise((resolve) => setTimeout(resolve, 500))]);
  }
  return event;
}

const good = ({ data, errors }) => {
  assert.equal(errors, undefined, JSON.stringify(errors));
  assert.equal(data.keyToggled.key.id, ids.key);
  assert.match(data.keyToggled.status, /ENABLED|DISABLED/);
  assert.ok(data.keyToggled.eventId);
  return data.keyToggled;
};

const sockets = createClient({ url: socketURL, webSocketImpl: WebSocket, connectionParams: { authorization } });

check('graphql-ws', async () => {
  const stream = sockets.iterate({ query: toggled });
  good((await until(stream.next())).value);
  await stream.return();
});

check('graphql-ws: what happened during a break comes after it, once and in order', async () => {
  const stream = sockets.iterate({ query: toggled });
  let last = good((await until(stream.next())).value);
  await stream.return();
  const before = last.status;
  await set(before !== 'ENABLED');
  await set(before === 'ENABLED');
  const again = sockets.iterate({ query: toggled, variables: { after: last.eventId } });
  const seen = new Set([last.eventId]);
  for (let i = 0; i < 2; i++) {
    const event = good((await again.next()).value);
    assert.ok(!seen.has(event.eventId), 'an event twice');
    seen.add(event.eventId);
  }
  await again.return();
});

check('graphql-sse', async () => {
  const client = createEventClient({ url, headers: { authorization } });
  const stream = client.iterate({ query: toggled });
  good((await until(stream.next())).value);
  await stream.return();
  client.dispose();
});

check('an EventSource, by GET', async () => {
  const stop = new AbortController();
  const answer = await fetch(`${url}?query=${encodeURIComponent(toggled)}`, { headers: { accept: 'text/event-stream', authorization }, signal: stop.signal });
  const first = (async () => {
    let text = '';
    for await (const chunk of answer.body) {
      text += Buffer.from(chunk).toString();
      const event = /event: next\ndata: (.*)\n\n/.exec(text);
      if (event) return JSON.parse(event[1]);
    }
  })();
  good(await until(first));
  stop.abort();
});

check('subscriptions-transport-ws', async () => {
  const client = new SubscriptionClient(socketURL, { connectionParams: { authorization } }, WebSocket);
  good(await until(new Promise((resolve, reject) => client.request({ query: toggled }).subscribe({ next: resolve, error: reject }))));
  client.close();
});

check('Apollo Client: the event changes what is shown', async () => {
  const cache = new InMemoryCache();
  const http = new ApolloClient({ cache, link: new HttpLink({ uri: url, headers: { authorization } }) });
  const live = new ApolloClient({ cache, link: new GraphQLWsLink(sockets) });
  const query = gql`query ($id: ID!) { node(id: $id) { id ... on ApiKey { status } } }`;
  await http.query({ query, variables: { id: ids.key } });
  let subscription;
  const { data } = await until(new Promise((resolve, reject) => {
    subscription = live.subscribe({ query: gql(toggled) }).subscribe({ next: resolve, error: reject });
  }));
  subscription.unsubscribe();
  assert.equal(cache.readQuery({ query, variables: { id: ids.key } }).node.status, data.keyToggled.key.status);
});

check('urql with graphcache: the event changes what is shown', async () => {
  const client = new Client({
    url, preferGetMethod: false, fetchOptions: { headers: { authorization } },
    exchanges: [cacheExchange({ keys: { KeyToggledEvent: () => null } }), fetchExchange, subscriptionExchange({
      forwardSubscription: (request) => ({ subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query ?? '' }, sink) }) }),
    })],
  });
  const query = 'query ($id: ID!) { node(id: $id) { __typename id ... on ApiKey { status } } }';
  await client.query(query, { id: ids.key }).toPromise();
  let subscription;
  const result = await until(new Promise((resolve) => { subscription = client.subscription(toggled, {}).subscribe(resolve); }));
  subscription.unsubscribe();
  assert.equal(result.error, undefined);
  const shown = await client.query(query, { id: ids.key }, { requestPolicy: 'cache-only' }).toPromise();
  assert.equal(shown.data.node.status, result.data.keyToggled.key.status);
});

check('somebody who loses a key hears of it, and that is all', async () => {
  const user = createClient({ url: socketURL, webSocketImpl: WebSocket, connectionParams: { Authorization: `Bearer ${process.env.GRANTWOOD_USER_TOKEN}` } });
  const stream = user.iterate({ query: 'subscription { grantChanged { userId keyId enabled grant { enabled key { name } } } }' });
  const grant = (state) => post('mutation ($in: SetGrantInput!) { setGrant(input: $in) { userErrors { message } } }', { in: { userId: ids.user, keyId: ids.key, state } });
  let event;
  stream.next().then(({ value }) => (event = value));
  for (let enabled = false; !event; enabled = !enabled) {
    await grant(enabled ? 'ENABLED' : 'DISABLED');
    await new Promise((resolve) => setTimeout(resolve, 300));
  }
  await grant('DISABLED');
  for (; event.data.grantChanged.enabled; event = (await stream.next()).value);
  assert.equal(event.errors, undefined);
  assert.equal(event.data.grantChanged.keyId, ids.key);
  assert.equal(event.data.grantChanged.grant, null);
  await stream.return();
});

await run();

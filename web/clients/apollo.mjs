// Apollo Client 4: its cache with the interfaces and unions of the schema, its socket link, and persisted queries.
import { createHash } from 'node:crypto';
import { assert, authorization, check, documents, ids, run, socketURL, url, variables } from './cases.mjs';

// docs: apollo
import { readFileSync } from 'node:fs';
import { ApolloClient, ApolloLink, HttpLink, InMemoryCache, gql } from '@apollo/client';
import { PersistedQueryLink } from '@apollo/client/link/persisted-queries';
import { GraphQLWsLink } from '@apollo/client/link/subscriptions';
import { relayStylePagination } from '@apollo/client/utilities';
import { buildSchema, isAbstractType } from 'graphql';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const schema = buildSchema(readFileSync(new URL('../../schema.graphqls', import.meta.url), 'utf8'));
const possibleTypes = Object.fromEntries(
  Object.values(schema.getTypeMap())
    .filter(isAbstractType)
    .map((type) => [type.name, schema.getPossibleTypes(type).map((t) => t.name)]),
);
const http = new HttpLink({ uri: url, headers: { authorization } });
const sockets = createClient({ url: socketURL, webSocketImpl: WebSocket, connectionParams: { authorization } });
const client = new ApolloClient({
  cache: new InMemoryCache({
    possibleTypes,
    typePolicies: { Account: { fields: { apiKeys: relayStylePagination(['filter', 'orderBy']) } } },
  }),
  link: ApolloLink.split(({ operationType }) => operationType === 'subscription', new GraphQLWsLink(sockets), http),
});
// end

const over = (link) => new ApolloClient({ cache: new InMemoryCache({ possibleTypes }), link });

for (const [way, apollo] of Object.entries({ HTTP: client, 'a socket': over(new GraphQLWsLink(sockets)) })) {
  for (const [name, document] of Object.entries(documents)) {
    check(`the dashboard's ${name} over ${way}`, async () => {
      const { data, error } = name === 'SetGrant'
        ? await apollo.mutate({ mutation: document, variables: variables[name] })
        : await apollo.query({ query: document, variables: variables[name], fetchPolicy: 'network-only' });
      assert.equal(error, undefined);
      assert.ok(data);
      assert.ok(!JSON.stringify(data).includes('"userErrors":[{'));
    });
  }
}

check('pages of a connection become one list', async () => {
  const pages = client.watchQuery({ query: documents.Keys, variables: { first: 2 } });
  const watched = pages.subscribe(() => {});
  const names = new Set();
  const first = await client.query({ query: documents.Keys, variables: { first: 2 }, fetchPolicy: 'network-only' });
  for (let { data } = first; ; { data } = await pages.fetchMore({ variables: { after: data.account.apiKeys.pageInfo.endCursor } })) {
    for (const { node } of data.account.apiKeys.edges) names.add(node.name);
    if (!data.account.apiKeys.pageInfo.hasNextPage) break;
  }
  watched.unsubscribe();
  const cached = client.readQuery({ query: documents.Keys, variables: { first: 2 } });
  assert.deepEqual(new Set(cached.account.apiKeys.edges.map((e) => e.node.name)), names);
  assert.equal(names.size, cached.account.apiKeys.totalCount);
});

check('a change reaches what is shown, by its ID', async () => {
  const shown = [];
  await client.query({ query: documents.People });
  const watched = client.watchQuery({ query: documents.People, fetchPolicy: 'cache-only' }).subscribe(({ data }) =>
    shown.push(data?.account?.users.nodes.flatMap((u) => u.grants.nodes).find((g) => g.key.id === ids.key && !g.enabled) !== undefined));
  const set = (state) => client.mutate({ mutation: documents.SetGrant, variables: { input: { userId: ids.user, keyId: ids.key, state } } });
  await set('DISABLED');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(shown.at(-1), true);
  await set('ENABLED');
  await new Promise((resolve) => setTimeout(resolve, 50));
  assert.equal(shown.at(-1), false);
  watched.unsubscribe();
});

check('a fragment on an interface', async () => {
  const query = gql`query ($ids: [ID!]!) { nodes(ids: $ids) { id ...K ...U } } fragment K on ApiKey { name } fragment U on User { displayName }`;
  const { data } = await client.query({ query, variables: { ids: [ids.key, ids.user, 'nothing'] } });
  assert.deepEqual(data.nodes.map((n) => n?.__typename), ['ApiKey', 'User', undefined]);
  assert.deepEqual(client.readQuery({ query, variables: { ids: [ids.key, ids.user, 'nothing'] } }), data);
});

check('user errors are data, with their types', async () => {
  const { data } = await client.mutate({
    mutation: gql`mutation { createApiKey(input: {name: "", kind: OTHER}) { key { id } userErrors { code path ... on ValidationError { rule } } } }`,
  });
  assert.equal(data.createApiKey.userErrors[0].__typename, 'ValidationError');
  assert.ok(data.createApiKey.userErrors[0].rule);
});

check('persisted queries: first with the text, then by hash', async () => {
  const sent = [];
  const spy = (input, init) => { sent.push(init?.body ?? String(input)); return fetch(input, init); };
  const sha256 = (text) => createHash('sha256').update(text).digest('hex');
  for (const useGETForHashedQueries of [false, true]) {
    const apollo = over(new PersistedQueryLink({ sha256, useGETForHashedQueries }).concat(new HttpLink({ uri: url, headers: { authorization }, fetch: spy })));
    const query = gql(`query Persisted${useGETForHashedQueries}${Date.now()} { account { id name } }`);
    for (const _ of [1, 2]) {
      const { data, error } = await apollo.query({ query, fetchPolicy: 'network-only' });
      assert.equal(error, undefined);
      assert.ok(data.account.id);
    }
  }
  assert.equal(sent.length, 6, 'unknown, with the text, by hash; twice');
  assert.equal(sent.filter((body) => body.includes('account')).length, 2, 'with the text once each');
  assert.ok(sent[5].startsWith('http'), 'the last by GET');
});

await run();

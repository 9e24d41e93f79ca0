// urql with graphcache, its normalised cache: it reads the schema by introspection, and pages as Relay does.
import { buildClientSchema, getIntrospectionQuery } from 'graphql';
import { assert, authorization, check, documents, ids, post, run, socketURL, url, variables } from './cases.mjs';

const { data: schema, errors } = await post(getIntrospectionQuery({ inputValueDeprecation: true, specifiedByUrl: true, directiveIsRepeatable: true, schemaDescription: true, oneOf: true }));
assert.equal(errors, undefined);

// docs: urql
import { cacheExchange } from '@urql/exchange-graphcache';
import { relayPagination } from '@urql/exchange-graphcache/extras';
import { Client, fetchExchange, gql, subscriptionExchange } from '@urql/core';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';

const warnings = [];
const sockets = createClient({ url: socketURL, webSocketImpl: WebSocket, connectionParams: { authorization } });
const client = new Client({
  url,
  preferGetMethod: false,
  fetchOptions: { headers: { authorization } },
  exchanges: [
    cacheExchange({
      schema, // the answer to getIntrospectionQuery
      keys: Object.fromEntries(['Viewer', 'Membership', 'Money', 'UsageTag', 'UsageTotals', 'UsageReport', 'UsageReportRow'].map((t) => [t, () => null])),
      resolvers: { Account: { apiKeys: relayPagination() } },
      logger: (severity, message) => severity === 'debug' || warnings.push(message),
    }),
    fetchExchange,
    subscriptionExchange({
      enableAllOperations: false,
      forwardSubscription: (request) => ({
        subscribe: (sink) => ({ unsubscribe: sockets.subscribe({ ...request, query: request.query ?? '' }, sink) }),
      }),
    }),
  ],
});
// end

check('the schema is whole', () => {
  const built = buildClientSchema(schema);
  assert.equal(built.getQueryType().name, 'Query');
  assert.ok(built.getType('AccessInput').isOneOf);
});

for (const [name, document] of Object.entries(documents)) {
  check(`the dashboard's ${name}`, async () => {
    const result = name === 'SetGrant'
      ? await client.mutation(document, variables[name]).toPromise()
      : await client.query(document, variables[name], { requestPolicy: 'network-only' }).toPromise();
    assert.equal(result.error, undefined);
    assert.ok(result.data);
  });
}

check('what was asked comes from the cache, another way too', async () => {
  const result = await client.query(documents.People, {}, { requestPolicy: 'cache-only' }).toPromise();
  assert.ok(result.data?.account.users.nodes.length > 1);
});

check('pages of a connection become one list', async () => {
  let after;
  let last;
  for (let i = 0; i < 4; i++) {
    last = (await client.query(documents.Keys, { first: 1, after }).toPromise()).data.account.apiKeys;
    after = last.pageInfo.endCursor;
  }
  assert.equal(last.edges.length, last.totalCount);
  assert.equal(new Set(last.edges.map((e) => e.node.id)).size, 4);
});

check('a change reaches what is shown, by its ID', async () => {
  const enabled = async () => (await client.query(documents.People, {}, { requestPolicy: 'cache-only' }).toPromise())
    .data.account.users.nodes.find((u) => u.id === ids.user).grants.nodes.find((g) => g.key.id === ids.key).enabled;
  const set = (state) => client.mutation(documents.SetGrant, { input: { userId: ids.user, keyId: ids.key, state } }).toPromise();
  await set('DISABLED');
  assert.equal(await enabled(), false);
  await set('ENABLED');
  assert.equal(await enabled(), true);
});

check('a fragment on an interface', async () => {
  const query = gql`query ($ids: [ID!]!) { nodes(ids: $ids) { __typename id ... on ApiKey { name } ... on User { displayName } } }`;
  const { data, error } = await client.query(query, { ids: [ids.key, ids.user] }).toPromise();
  assert.equal(error, undefined);
  assert.deepEqual(data.nodes.map((n) => n.__typename), ['ApiKey', 'User']);
});

check('the cache has nothing to say against the schema', () => {
  assert.deepEqual(warnings, []);
});

await run();

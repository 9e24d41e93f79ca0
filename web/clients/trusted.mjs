// A server that runs the documents of graphql-codegen's manifest, by their hashes, and no others for people.
import { readFileSync } from 'node:fs';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { assert, authorization, check, run, socketURL, token, url, variables } from './cases.mjs';

const manifest = JSON.parse(readFileSync(process.env.GRANTWOOD_MANIFEST, 'utf8'));

const ask = async (body) =>
  (await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json', authorization }, body: JSON.stringify(body) })).json();

const sockets = createClient({ url: socketURL, webSocketImpl: WebSocket, connectionParams: { Authorization: `Bearer ${token}` } });

for (const [id, text] of Object.entries(manifest)) {
  const name = /(query|mutation) (\w+)/.exec(text)[2];
  const plain = id.replace('sha256:', '');
  for (const [way, parameters] of Object.entries({
    'as documentId': { documentId: id },
    'as documentId without its prefix': { documentId: plain },
    'as a persisted query': { extensions: { persistedQuery: { version: 1, sha256Hash: plain } } },
    'by its text': { query: text },
  })) {
    check(`${name} ${way}`, async () => {
      const { data, errors } = await ask({ ...parameters, variables: variables[name] });
      assert.equal(errors, undefined, JSON.stringify(errors));
      assert.ok(data);
    });
  }
  check(`${name} over a socket`, async () => {
    const { value } = await sockets.iterate({ query: '', extensions: { persistedQuery: { version: 1, sha256Hash: plain } }, variables: variables[name] }).next();
    assert.equal(value.errors, undefined);
    assert.ok(value.data);
  });
}

check('another document', async () => {
  const { data, errors } = await ask({ query: '{ __typename }' });
  assert.equal(data, undefined);
  assert.equal(errors[0].extensions.code, 'FORBIDDEN');
});

check('another document over a socket', async () => {
  await assert.rejects(sockets.iterate({ query: '{ __typename }' }).next(), (errors) => errors[0].extensions.code === 'FORBIDDEN');
});

await run();

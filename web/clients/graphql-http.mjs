// The audits of graphql-http, the reference implementation of GraphQL over HTTP: https://graphql.github.io/graphql-over-http
import { serverAudits } from 'graphql-http';
import { assert, authorization, check, run, url } from './cases.mjs';

// Some audits ask for the schema, which is shown to callers with credentials.
const fetchFn = (input, init) => fetch(input, { ...init, headers: { ...init?.headers, authorization } });
const audits = serverAudits({ url, fetchFn });
assert.ok(audits.length >= 61, `there are ${audits.length} audits`);
for (const audit of audits) {
  check(`${audit.id} ${audit.name}`, async () => {
    const result = await audit.fn();
    assert.equal(result.status, 'ok', `${result.status}: ${result.reason}`);
  });
}
await run();

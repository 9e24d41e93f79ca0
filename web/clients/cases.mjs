// What every client's script begins with: where the server is, who calls, and a list of cases of which each says how it went.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { parse, print, separateOperations } from 'graphql';

const env = (name) => {
  if (!process.env[name]) throw new Error(`${name} is not set: these scripts are run by go test ./server`);
  return process.env[name];
};

/** Address of GraphQL over HTTP, and over a WebSocket. */
export const url = `${env('GRANTWOOD_URL')}/graphql`;
export const socketURL = url.replace(/^http/, 'ws');

/** Token of the owner of an account, and IDs of it. */
export const token = process.env.GRANTWOOD_TOKEN;
export const ids = JSON.parse(process.env.GRANTWOOD_IDS ?? '{}');
export const authorization = `Bearer ${token}`;

/** Operations of documents/dashboard.graphql as documents of their own, by name. */
export const documents = separateOperations(parse(readFileSync(new URL('documents/dashboard.graphql', import.meta.url), 'utf8')));
export const text = (name) => print(documents[name]);

/** Variables of those operations that need some. */
export const day = { from: new Date(Date.now() - 864e5).toISOString(), to: new Date(Date.now() + 36e5).toISOString() };
export const variables = {
  Viewer: {},
  Keys: { first: 2 },
  People: {},
  Usage: day,
  Report: { input: { ...day, groupBy: ['DAY', 'KEY'] } },
  Thing: { id: ids.key },
  SetGrant: { input: { userId: ids.user, keyId: ids.key, state: 'ENABLED' } },
};

/** Posts an operation without any client library. */
export async function post(query, values, headers = {}) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', authorization, ...headers },
    body: JSON.stringify({ query, variables: values }),
  });
  return answer.json();
}

const list = [];

/** Adds a case. */
export const check = (name, run) => list.push({ name, run });

/** Runs the cases one after the other; the process fails when one of them does, or when one never ends. */
export async function run() {
  let failed = 0;
  for (const { name, run } of list) {
    let timer;
    const late = new Promise((_, no) => { timer = setTimeout(() => no(new Error('takes longer than a minute')), 60_000); });
    try {
      await Promise.race([run(), late]);
      console.log(`ok    ${name}`);
    } catch (error) {
      failed++;
      console.log(`FAIL  ${name}: ${error?.stack ?? JSON.stringify(error)}`);
    }
    clearTimeout(timer);
  }
  console.log(`${list.length} cases, ${failed} failed`);
  process.exit(failed || list.length === 0 ? 1 : 0);
}

export { assert };

// relay-compiler: compiles fragments, a connection and a mutation against the schema as it is, and what it makes of them runs.
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readdirSync, cpSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { assert, check, ids, post, run } from './cases.mjs';

const here = import.meta.dirname;
mkdirSync(join(here, 'generated'), { recursive: true });
const dir = mkdtempSync(join(here, 'generated', 'relay-')); // other runs may be at work
cpSync(join(here, 'relay'), dir, { recursive: true });
mkdirSync(join(dir, 'artifacts'));
copyFileSync(join(here, '../../schema.graphqls'), join(dir, 'schema.graphql')); // the compiler takes no other ending
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

const compile = (args = []) =>
  execFileSync(process.execPath, [join(here, 'node_modules/relay-compiler/cli.js'), 'relay.config.json', ...args], { cwd: dir, encoding: 'utf8', stdio: 'pipe' });

const artifacts = {};

check('it compiles', async () => {
  try {
    compile();
  } catch (error) {
    throw new Error(`${error.stdout}\n${error.stderr}`);
  }
  const found = join(dir, 'artifacts');
  for (const file of readdirSync(found).filter((f) => f.endsWith('.js'))) {
    const name = file.replace('.graphql.js', '');
    artifacts[name] = name.includes('_') ? readFileSync(join(found, file), 'utf8') : (await import(join(found, file))).default; // a bundler would resolve fragments' imports
  }
  assert.deepEqual(Object.keys(artifacts).sort(), ['PeopleGrantsRefetchQuery', 'PeopleKeysPaginationQuery', 'PeopleQuery',
    'PeopleSetGrantMutation', 'People_grants', 'People_keys', 'People_person']);
});

check('the connection is one', () => {
  assert.match(artifacts.People_keys, /"connection": \[\s*{[^}]*"direction": "forward"/);
});

for (const [name, values] of Object.entries({
  PeopleQuery: { first: 2 },
  PeopleKeysPaginationQuery: { first: 2, id: ids.account },
  PeopleGrantsRefetchQuery: { id: ids.user },
  PeopleSetGrantMutation: { input: { userId: ids.user, keyId: ids.key, state: 'ENABLED' } },
})) {
  check(`${name} runs`, async () => {
    const { data, errors } = await post(artifacts[name].params.text, values);
    assert.equal(errors, undefined);
    assert.ok(Object.values(data).every((v) => v !== null), JSON.stringify(data));
  });
}

await run();

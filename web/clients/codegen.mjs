// graphql-codegen: the client preset makes types, documents and a manifest of persisted documents, and these run.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { generate } from '@graphql-codegen/cli';
import { print } from 'graphql';
import ts from 'typescript';
import { assert, check, documents, post, run, variables } from './cases.mjs';

const here = import.meta.dirname;
mkdirSync(join(here, 'generated'), { recursive: true });
const dir = mkdtempSync(join(here, 'generated', 'codegen-')); // other runs may be at work
process.on('exit', () => rmSync(dir, { recursive: true, force: true }));

// docs: codegen
import { join } from 'node:path';

const config = {
  schema: join(here, '../../schema.graphqls'),
  documents: join(here, 'documents/*.graphql'),
  generates: {
    [`${dir}/`]: {
      preset: 'client',
      presetConfig: { persistedDocuments: { hashAlgorithm: 'sha256' } },
      config: {
        strictScalars: true,
        scalars: { DateTime: 'string', CurrencyCode: 'string', Int64: 'number', Decimal: 'string', CountryCode: 'string', URL: 'string' },
      },
    },
  },
};
// end

let made;

check('it generates', async () => {
  await generate({ ...config, silent: true, errorsOnly: true }, true);
  const source = readFileSync(join(dir, 'graphql.ts'), 'utf8');
  const { outputText, diagnostics } = ts.transpileModule(source, { reportDiagnostics: true, compilerOptions: { module: 'ESNext', target: 'ES2022' } });
  assert.deepEqual(diagnostics, []);
  writeFileSync(join(dir, 'graphql.mjs'), outputText);
  made = await import(join(dir, 'graphql.mjs'));
});

for (const name of Object.keys(documents)) {
  check(`${name} runs`, async () => {
    const { data, errors } = await post(print(made[`${name}Document`]), variables[name]);
    assert.equal(errors, undefined);
    assert.ok(Object.values(data).every((v) => v !== null), JSON.stringify(data));
  });
}

check('the persisted documents are the documents', async () => {
  const manifest = JSON.parse(readFileSync(join(dir, 'persisted-documents.json'), 'utf8'));
  if (process.env.GRANTWOOD_MANIFEST) copyFileSync(join(dir, 'persisted-documents.json'), process.env.GRANTWOOD_MANIFEST);
  assert.equal(Object.keys(manifest).length, Object.keys(documents).length);
  for (const [hash, text] of Object.entries(manifest)) {
    assert.equal(`sha256:${createHash('sha256').update(text).digest('hex')}`, hash);
    const name = /(query|mutation|subscription) (\w+)/.exec(text)[2];
    const { errors } = await post(text, variables[name]);
    assert.equal(errors, undefined);
  }
});

await run();

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { defineConfig, type Plugin } from 'vite';
import react from '@vitejs/plugin-react';

const source = (name: string) => fileURLToPath(new URL('src/' + name, import.meta.url));

// What the build reads, besides libraries, which the lock file names. web/build_test.go reads the same, and so knows without Node
// whether the build belongs to its sources.
const inputs = ['index.html', 'package.json', 'package-lock.json', 'tsconfig.json', 'vite.config.ts', ...sourceFiles()].sort();

function sourceFiles(): string[] {
  return readdirSync('src').map((name) => 'src/' + name);
}

function hashOfInputs(): Plugin {
  let out = '';
  return {
    name: 'hash-of-inputs',
    configResolved({ build }) {
      out = build.outDir;
    },
    closeBundle() {
      const hash = createHash('sha256');
      for (const name of inputs) hash.update(name + '\n').update(readFileSync(name));
      writeFileSync(out + '/inputs.sha256', hash.digest('hex') + '\n');
    },
  };
}

export default defineConfig({
  // Relative, so that the page works below any path that a proxy puts before it.
  base: './',
  plugins: [react(), hashOfInputs()],
  // The server puts a new nonce in its place into every answer.
  html: { cspNonce: '__NONCE__' },
  resolve: {
    alias: [
      { find: /^(monaco-graphql\/esm|\.)\/monaco-editor(\.js)?$/, replacement: source('monaco.ts') },
      { find: /^prettier\/(plugins\/estree|parser-babel)$/, replacement: source('jsonc.ts') },
      { find: /^.*\/(diffEditor\/diffEditorWidget|multiDiffEditor\/multiDiffEditorWidget)\.js$/, replacement: source('nodiff.ts') },
      // The same plugin under its former name.
      { find: 'prettier/parser-graphql', replacement: 'prettier/plugins/graphql' },
    ],
  },
  worker: { format: 'es' },
  build: {
    // The page is /playground and its files are /playground/…: the directory has the page's name.
    assetsDir: 'playground',
    // Nothing as data: URLs, which the policy refuses.
    assetsInlineLimit: 0,
    target: 'es2022',
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 4000,
    reportCompressedSize: false,
    license: { fileName: 'licenses.md' },
    rolldownOptions: {
      onwarn(warning, warn) {
        // Words of libraries to the React compiler, which has run already.
        if (warning.code !== 'MODULE_LEVEL_DIRECTIVE') warn(warning);
      },
    },
  },
});

// Opens the playground of a running demo in a real browser and uses it as people do. It ends with status 1 and what went wrong
// when something is not as it should be; the pictures it takes then are in the directory that it names.
//
//   node browser.mjs http://127.0.0.1:8080 /usr/bin/chromium
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { steps } from './steps.mjs';
import { open } from './page.mjs';

const [address, program] = process.argv.slice(2);
const watched = await open(address, program);
const faults = [];
for (const [name, step] of Object.entries(steps)) {
  const start = Date.now();
  try {
    await step(watched);
    console.log(`ok   ${name} (${Date.now() - start} ms)`);
  } catch (error) {
    const picture = join(await mkdtemp(join(tmpdir(), 'playground-')), 'page.png');
    await watched.page.screenshot({ path: picture }).catch(() => undefined);
    console.log(`FAIL ${name}: ${error.stack}\npicture: ${picture}`);
    faults.push(name);
    break; // the steps build on each other
  }
}
for (const fault of watched.faults) console.log(`FAIL the page: ${fault}`);
await watched.browser.close();
process.exit(faults.length + watched.faults.length > 0 ? 1 : 0);

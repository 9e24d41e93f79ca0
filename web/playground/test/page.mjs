import { chromium } from 'playwright-core';

/** Opens a browser that reaches the address only, with a page whose faults are written down. */
export async function open(address, program) {
  const browser = await chromium.launch({
    executablePath: program,
    args: ['--disable-background-networking', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'],
  });
  const context = await browser.newContext({ viewport: { width: 1360, height: 820 }, colorScheme: 'light' });
  context.setDefaultTimeout(60_000);
  const faults = [];
  await context.exposeFunction('reportViolation', (text) => faults.push(`policy: ${text}`));
  await context.addInitScript(() =>
    addEventListener('securitypolicyviolation', (e) => globalThis.reportViolation(`${e.violatedDirective} ${e.blockedURI} ${e.sourceFile}:${e.lineNumber} ${e.sample}`)),
  );
  context.on('request', (request) => {
    const { host, protocol } = new URL(request.url());
    if (host !== new URL(address).host && protocol !== 'data:' && protocol !== 'blob:') faults.push(`request to ${request.url()}`);
  });
  const page = await newPage(context, faults);
  return { address, browser, context, page, faults, anotherPage: () => newPage(context, faults) };
}

async function newPage(context, faults) {
  const page = await context.newPage();
  page.on('pageerror', (error) => faults.push(`error: ${error.stack}`));
  page.on('crash', () => faults.push('the page crashed'));
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) faults.push(`console: ${message.text()}`);
  });
  page.on('websocket', (socket) => {
    if (new URL(socket.url()).host !== new URL(page.url()).host) faults.push(`socket to ${socket.url()}`);
  });
  return page;
}

/** Waits until something that is looked up holds. */
export async function until(what, look) {
  const deadline = Date.now() + 60_000;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (Date.now() > deadline) throw new Error(`waited in vain until ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What an editor shows: "query", "response", "variables" or "headers". */
export async function textOf(page, editor) {
  const place = {
    query: '.graphiql-query-editor',
    response: '.graphiql-response',
    variables: '.graphiql-editor-tool .graphiql-editor >> nth=0',
    headers: '.graphiql-editor-tool .graphiql-editor >> nth=1',
  }[editor];
  // Lines are placed by their distance from the top, in any order, and blanks do not break.
  const lines = await page.locator(place).locator('.view-line').evaluateAll((all) =>
    all.map((line) => [parseFloat(line.style.top), line.textContent.replaceAll('\u00a0', ' ')]),
  );
  return lines
    .sort(([a], [b]) => a - b)
    .map(([, text]) => text)
    .join('\n');
}

/** Puts the cursor into an editor, and a text in the place of what was there. */
export async function write(page, editor, text) {
  const label = { query: 'Operation Editor', variables: 'Variables', headers: 'Headers' }[editor];
  const area = page.locator(`section[aria-label="${label}"] .graphiql-editor:not(.hidden)`);
  await area.locator('.view-lines').click();
  await page.keyboard.press('ControlOrMeta+a');
  await page.keyboard.press('Delete');
  await page.keyboard.insertText(text);
}

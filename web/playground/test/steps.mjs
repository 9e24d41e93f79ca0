import assert from 'node:assert/strict';
import { textOf, until, write } from './page.mjs';

const password = 'grantwood-demo';
const kept = { token: '', literal: 'literal-password-7391', variable: 'variable-password-5512' };

const answers = (page, pattern) =>
  until(`the answer matches ${pattern}`, async () => pattern.test(await textOf(page, 'response')));
const signedIn = (page, name) => page.getByRole('banner').getByRole('status').filter({ hasText: name }).waitFor();
const example = async (page, title) => {
  await page.getByRole('button', { name: 'Examples' }).click();
  await page.getByRole('menuitem', { name: title }).click();
};

async function ask(address, query, variables, token) {
  const response = await fetch(address + '/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(token ? { Authorization: 'Bearer ' + token } : {}) },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await response.json();
  assert.equal(errors, undefined, JSON.stringify(errors));
  return data;
}

const toSignIn = 'mutation($e: String!, $p: String!) { signIn(input: {email: $e, password: $p}) { sessionToken } }';

/** What people do, in this order. Each step finds the page as the one before left it. */
export const steps = {
  async 'opens, and asks for no schema before somebody is known'({ page, address }) {
    await page.goto(address + '/playground');
    await page.locator('.graphiql-query-editor .view-line').first().waitFor();
    await page.getByRole('form', { name: 'Sign in' }).waitFor();
    assert.equal(await textOf(page, 'response'), '');
    assert.equal(await page.title(), 'Grantwood playground');
  },

  async 'tells that a password is wrong, and leads back to it'({ page }) {
    await page.getByLabel('E-mail').fill('owner@globex.example');
    await page.getByLabel('Password').fill('not the password');
    await page.keyboard.press('Enter');
    await page.getByRole('banner').getByRole('alert').waitFor();
    assert.equal(await page.evaluate(() => document.activeElement.name), 'password');
  },

  async 'signs in with the keyboard; no script reads the session'({ page, context }) {
    await page.getByLabel('Password').fill(password);
    await page.keyboard.press('Enter');
    await signedIn(page, 'Olivia Owner');
    const [cookie, ...others] = await context.cookies();
    assert.equal(cookie.name, 'grantwood_session');
    assert.ok(cookie.httpOnly && cookie.sameSite === 'Strict' && others.length === 0);
    assert.equal(await page.evaluate(() => document.cookie), '');
    kept.token = cookie.value;
  },

  async 'runs a query'({ page }) {
    await page.getByRole('button', { name: /Execute query/ }).click();
    await answers(page, /"email": "owner@globex\.example"/);
  },

  async 'finds a field in the documentation'({ page }) {
    await page.locator('.graphiql-sidebar button').first().click();
    await page.getByText('All Schema Types').waitFor();
    await page.keyboard.press('Control+Alt+k');
    await page.keyboard.type('setGrant');
    await page.getByRole('option', { name: /Mutation.*setGrant\b/ }).first().click();
    await page.getByText('Requires MANAGE_GRANTS').waitFor();
    await page.locator('.graphiql-sidebar button').first().click();
  },

  async 'fills in an example, and changes a grant'({ page }) {
    await example(page, /Switch a grant/);
    await until('the IDs are there', async () => /"user": "usr_\w+/.test(await textOf(page, 'variables')));
    await page.keyboard.press('Control+Enter');
    await answers(page, /"enabled": true/);
    assert.match(await textOf(page, 'response'), /"userErrors": \[\]/);
  },

  async 'completes what is typed'({ page }) {
    await page.getByRole('button', { name: 'New tab' }).click();
    await write(page, 'query', '{ acc');
    await page.keyboard.press('Control+Space');
    await page.locator('.suggest-widget').getByText('account', { exact: true }).first().waitFor();
    await page.keyboard.press('Enter');
    assert.match(await textOf(page, 'query'), /\{ account/);
  },

  async 'calls as somebody else with the token in the headers'({ page, address }) {
    const { signIn } = await ask(address, toSignIn, { e: 'reporting@globex.example', p: password });
    kept.other = signIn.sessionToken;
    await write(page, 'query', '{ viewer { user { email } } }');
    await page.getByRole('button', { name: 'Headers', exact: true }).click();
    await write(page, 'headers', JSON.stringify({ Authorization: 'Bearer ' + kept.other }));
    await page.getByText('calls with the Authorization of its headers').waitFor();
    await page.getByRole('button', { name: /Execute query/ }).click();
    await answers(page, /reporting@globex\.example/);
  },

  async 'stores no secret, and keeps the tabs over a reload'({ page }) {
    await page.getByRole('button', { name: 'Variables', exact: true }).click();
    await write(page, 'variables', JSON.stringify({ p: kept.variable }));
    await write(page, 'query', `mutation Kept($p: String!) { signIn(input: {email: "a@b.example", password: "${kept.literal}"}) { sessionToken } }`);
    await until('the tab is stored', async () => (await stored(page)).includes('mutation Kept'));
    const all = await stored(page);
    for (const [name, secret] of Object.entries(kept)) assert.ok(secret.length > 10 && !all.includes(secret), `${name} is stored`);
    await page.reload();
    await signedIn(page, 'Olivia Owner');
    await until('the tab is there again', async () => /mutation Kept/.test(await textOf(page, 'query')));
    assert.match(await textOf(page, 'query'), /password: ""/);
    assert.equal((await textOf(page, 'variables')).trim(), '');
  },

  async 'is dark or light as wanted'({ page }) {
    const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    const light = await background();
    await page.getByRole('button', { name: 'Open settings dialog' }).click();
    await page.getByRole('button', { name: 'Dark', exact: true }).click();
    await page.keyboard.press('Escape');
    assert.notEqual(await background(), light);
    await page.reload();
    await page.locator('body.graphiql-dark').waitFor();
    await signedIn(page, 'Olivia Owner');
  },

  async 'signs out'({ page, context }) {
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('form', { name: 'Sign in' }).waitFor();
    assert.deepEqual(await context.cookies(), []);
    await page.keyboard.press('Tab');
    assert.ok(await page.evaluate(() => document.activeElement.closest('form') !== null), 'the focus is lost');
  },

  async 'signs a person of the demo in by one click'({ page }) {
    await page.getByRole('button', { name: 'Sign in as' }).click();
    await page.getByRole('menuitem', { name: /Rita Reporting/ }).click();
    await signedIn(page, 'Rita Reporting');
    await example(page, /Who am I/);
    await until('the example is there', async () => /WhoAmI/.test(await textOf(page, 'query')));
    await page.keyboard.press('Control+Enter');
    await answers(page, /reporting@globex\.example/);
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('form', { name: 'Sign in' }).waitFor();
  },

  async 'signs the right person in for an example'({ page }) {
    await example(page, /Users × grants/);
    await signedIn(page, 'Olivia Owner');
    await until('the example is there', async () => /UsersAndGrants/.test(await textOf(page, 'query')));
    await page.keyboard.press('Control+Enter');
    await answers(page, /"totalCount": 25/);
  },

  async 'sees a grant change that is switched in another window'({ page, anotherPage, address }) {
    await example(page, /Watch grants change/);
    await until('the example is there', async () => /WatchGrants/.test(await textOf(page, 'query')));
    const sent = []; // from the first on: the page may send before this goes on
    const opened = page.waitForEvent('websocket', (socket) => socket.on('framesent', ({ payload }) => sent.push(String(payload))));
    await page.keyboard.press('Control+Enter');
    const socket = await opened;
    await until('it is asked for', async () => sent.some((text) => text.includes('"subscribe"')));
    const other = await anotherPage();
    await other.goto(address + '/playground');
    await signedIn(other, 'Olivia Owner');
    await example(other, /Switch a grant/);
    await until('the IDs are there', async () => /"user": "usr_\w+/.test(await textOf(other, 'variables')));
    // The first sets out from whatever was before, and so may change nothing.
    for (const [state, enabled, changes] of [['DISABLED', false, false], ['ENABLED', true, true], ['DISABLED', false, true]]) {
      const variables = JSON.parse(await textOf(other, 'variables'));
      await write(other, 'variables', JSON.stringify({ ...variables, state }));
      await other.getByRole('button', { name: /Execute query/ }).click();
      await answers(other, new RegExp(`"enabled": ${enabled}`));
      if (changes) await answers(page, new RegExp(`"enabled": ${enabled}`));
    }
    assert.match(await textOf(page, 'response'), /"source": "EXPLICIT"/);
    await other.close();
    const closed = socket.waitForEvent('close');
    await page.getByRole('button', { name: /Stop query/ }).click();
    await closed;
  },
};

const stored = (page) => page.evaluate(() => JSON.stringify([{ ...localStorage }, { ...sessionStorage }]));

// What the playground keeps in the browser: the look in localStorage, and the texts of the tabs in sessionStorage, until the
// browser's tab is closed. Never kept are headers, variables and answers, which hold tokens, passwords and secrets; and
// in texts of operations, values that look like such.

const kept = new Set(['theme', 'visiblePlugin', 'docExplorerFlex', 'editorFlex', 'secondaryEditorFlex']);
const prefix = 'graphiql:';
const tabs = prefix + 'tabState';

const named = /(\w*(?:password|token|secret|idempotencyKey)\w*\s*:\s*(?:\[?\w+!?\]?!?\s*=\s*)?)("""[^]*?(?:"""|$)|"(?:\\.|[^"\\\n])*"?)/gi;
const credential = /\bgw[a-z]{1,2}_[\w-]+/g;

/** Takes what looks like a password, token or secret out of the text of an operation. */
export function withoutSecrets(text: string): string {
  return text.replace(named, '$1""').replace(credential, '');
}

interface StoredTab {
  id: string;
  title: string;
  query: string | null;
  operationName: string | null;
}

function withoutValues(state: string): string {
  const { activeTabIndex, tabs } = JSON.parse(state) as { activeTabIndex: number; tabs: StoredTab[] };
  return JSON.stringify({
    activeTabIndex,
    tabs: tabs.map(({ id, title, query, operationName }) => ({
      id,
      title,
      query: query && withoutSecrets(query),
      operationName,
      hash: null,
      variables: null,
      headers: null,
      response: null,
    })),
  });
}

// GraphiQL fills the editor from a store of its own for the text in sight; that of the tab is the same.
function activeText(): string | null {
  const state = sessionStorage.getItem(tabs);
  if (!state) return null;
  const { activeTabIndex, tabs: all } = JSON.parse(state) as { activeTabIndex: number; tabs: StoredTab[] };
  return all[activeTabIndex]?.query ?? null;
}

function place(key: string): Storage | undefined {
  if (key === tabs) return sessionStorage;
  return key.startsWith(prefix) && kept.has(key.slice(prefix.length)) ? localStorage : undefined;
}

/** The storage that GraphiQL gets: everything that is not named above is forgotten. */
export const storage = {
  getItem: (key: string) => (key === prefix + 'query' ? activeText() : (place(key)?.getItem(key) ?? null)),
  setItem: (key: string, value: string) => place(key)?.setItem(key, key === tabs ? withoutValues(value) : value),
  removeItem: (key: string) => place(key)?.removeItem(key),
  clear() {
    sessionStorage.removeItem(tabs);
    for (const key of kept) localStorage.removeItem(prefix + key);
  },
  get length() {
    return kept.size + 1;
  },
};

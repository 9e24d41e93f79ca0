/** An operation to start from. */
export interface Example {
  title: string;
  about: string;
  query: string;
  /** JSON; a string "@a.b.0.c" stands for what `lookup` finds on that way. */
  variables: string;
  /** A query that finds the IDs which the variables name. */
  lookup: string;
  /** Address of the demo's person whom it is made for. */
  person: string;
}

/** Somebody of the demo who can be signed in by one click. */
export interface Person {
  email: string;
  name: string;
  about: string;
}

/** What the server tells the page. */
export interface Settings {
  version: string;
  examples: Example[];
  /** Only in the demo, whose passwords are no secret. */
  demo?: { password: string; people: Person[] };
}

export const settings = JSON.parse(document.getElementById('settings')?.textContent ?? '{}') as Settings;

/** The API, beside this page. */
export const endpoint = new URL('graphql', document.baseURI);

import { endpoint } from './settings';

const responseType = 'application/graphql-response+json, application/json;q=0.9';

interface GraphQLError {
  message: string;
  extensions?: { code?: string; retryAfter?: number };
}

interface Answer<T> {
  data?: T | null;
  errors?: GraphQLError[];
}

/** Posts an operation with the session of this browser. Throws an Error with a sentence for people. */
export async function ask<T>(query: string, variables?: object): Promise<T> {
  const answer = await post<T>(query, variables);
  const first = answer.errors?.[0];
  if (first) throw new Error(first.message);
  if (!answer.data) throw new Error('The server gave no answer.');
  return answer.data;
}

async function post<T>(query: string, variables?: object, accept = responseType): Promise<Answer<T>> {
  let response: Response;
  try {
    response = await fetch(endpoint, {
      method: 'POST',
      headers: { 'Content-Type': 'application/json', Accept: accept },
      body: JSON.stringify({ query, variables }),
    });
  } catch {
    throw new Error('The server cannot be reached.');
  }
  try {
    return (await response.json()) as Answer<T>;
  } catch {
    throw new Error(`The server answered with status ${response.status}.`);
  }
}

/** Who is signed in. */
export interface Caller {
  name: string;
  email: string;
  account: string;
}

interface ViewerData {
  viewer: { user: { displayName: string; email: string } | null; account: { name: string } | null } | null;
}

const viewer = 'viewer { user { displayName email } account { name } }';

function callerOf(data: ViewerData | null | undefined): Caller | null {
  const user = data?.viewer?.user;
  return user ? { name: user.displayName, email: user.email, account: data?.viewer?.account?.name ?? '' } : null;
}

/** Whose session the browser holds; null when nobody is signed in. */
export async function whoIsSignedIn(): Promise<Caller | null> {
  const { data, errors } = await post<ViewerData>(`query PlaygroundViewer { ${viewer} }`);
  if (errors && errors[0]?.extensions?.code !== 'UNAUTHENTICATED') throw new Error(errors[0]?.message);
  return callerOf(data);
}

/** Whether the server tells the schema to anybody. */
export async function showsSchemaToAll(): Promise<boolean> {
  // The older media type has status 200 for a refusal, which the browser does not write to its console as a failure.
  const answer = await post('query PlaygroundSchema { __schema { queryType { name } } }', undefined, 'application/json').catch(() => undefined);
  return answer?.data != null;
}

/** Starts a session. Its token stays in a cookie that no script reads: it is not asked for. */
export async function signIn(email: string, password: string): Promise<Caller | null> {
  const { signIn } = await ask<{ signIn: (ViewerData & { userErrors: { message: string }[] }) | null }>(
    `mutation PlaygroundSignIn($input: SignInInput!) { signIn(input: $input) { userErrors { message } ${viewer} } }`,
    { input: { email, password } },
  );
  const refused = signIn?.userErrors[0];
  if (refused) throw new Error(refused.message);
  return callerOf(signIn);
}

/** Ends the session. */
export async function signOut(): Promise<void> {
  await ask('mutation PlaygroundSignOut { signOut { endedSessions } }');
}

function find(data: unknown, way: string): unknown {
  return way.split('.').reduce<unknown>((at, step) => (at as Record<string, unknown> | undefined)?.[step], data);
}

/** Fills the variables of an example: IDs are looked up with the caller's rights, and left empty when there are none. */
export async function fill(variables: string, lookup: string): Promise<string> {
  if (!lookup) return variables;
  const data = await ask(lookup).catch(() => undefined);
  return variables.replace(/"@([\w.]+)"/g, (_, way: string) => JSON.stringify(find(data, way) ?? ''));
}

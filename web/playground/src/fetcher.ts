import { createGraphiQLFetcher, type Fetcher, type FetcherOpts, type FetcherParams } from '@graphiql/toolkit';
import { Kind, parse, type DocumentNode } from 'graphql';
import { endpoint } from './settings';

const changesSession = /\b(?:signIn|signOut|switchAccount|acceptInvitation|revokeSession|resetPassword|updateProfile)\b/;

/**
 * Makes the way to the API: queries and mutations by POST, subscriptions by WebSocket, both with the browser's session and the
 * headers of the editor, which the socket sends in connection_init. It calls `changed` after operations that may change who
 * is signed in.
 */
export function newFetcher(changed: () => void): Fetcher {
  const fetcher = createGraphiQLFetcher({
    url: endpoint.href,
    subscriptionUrl: endpoint.href.replace(/^http/, 'ws'),
    enableIncrementalDelivery: false,
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (typeof init?.body === 'string' && changesSession.test(init.body)) changed();
      return response;
    },
  });
  return (params, options) => fetcher(...asWritten(params, options));
}

// The editor tells what it holds a moment late: somebody who is quick would run the text of now by the name, and as the kind, of
// the operation before it.
function asWritten(params: FetcherParams, options?: FetcherOpts): [FetcherParams, FetcherOpts?] {
  let documentAST: DocumentNode;
  try {
    documentAST = parse(params.query);
  } catch {
    return [{ ...params, operationName: null }, options]; // the server tells what is wrong
  }
  const operations = documentAST.definitions.filter((d) => d.kind === Kind.OPERATION_DEFINITION);
  const meant = operations.find((o) => o.name?.value === params.operationName) ?? (operations.length === 1 ? operations[0] : undefined);
  const operationName = meant?.name?.value ?? null; // by which the library knows a subscription
  return [{ ...params, operationName }, { ...options, documentAST }];
}

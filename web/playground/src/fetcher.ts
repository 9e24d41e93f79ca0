import { createGraphiQLFetcher, type Fetcher } from '@graphiql/toolkit';
import { endpoint } from './settings';

const changesSession = /\b(?:signIn|signOut|switchAccount|acceptInvitation|revokeSession|resetPassword|updateProfile)\b/;

/**
 * Makes the way to the API: queries and mutations by POST, subscriptions by WebSocket, both with the browser's session and the
 * headers of the editor, which the socket sends in connection_init. It calls `changed` after operations that may change who
 * is signed in.
 */
export function newFetcher(changed: () => void): Fetcher {
  return createGraphiQLFetcher({
    url: endpoint.href,
    subscriptionUrl: endpoint.href.replace(/^http/, 'ws'),
    enableIncrementalDelivery: false,
    async fetch(input, init) {
      const response = await fetch(input, init);
      if (typeof init?.body === 'string' && changesSession.test(init.body)) changed();
      return response;
    },
  });
}

import { useCallback, useEffect, useState } from 'react';
import { signIn, signOut, whoIsSignedIn, type Caller } from './api';

/** The session of this browser. */
export interface Session {
  /** Nobody when null, not known yet when undefined. */
  caller: Caller | null | undefined;
  error: string;
  busy: boolean;
  signIn(email: string, password: string): Promise<boolean>;
  signOut(): Promise<void>;
  refresh(): void;
}

/** Follows who is signed in. */
export function useSession(): Session {
  const [caller, setCaller] = useState<Caller | null | undefined>(undefined);
  const [error, setError] = useState('');
  const [busy, setBusy] = useState(false);

  const run = useCallback(async (work: () => Promise<Caller | null>): Promise<boolean> => {
    setBusy(true);
    try {
      setCaller(await work());
      setError('');
      return true;
    } catch (e) {
      setCaller((before) => before ?? null);
      setError(e instanceof Error ? e.message : String(e));
      return false;
    } finally {
      setBusy(false);
    }
  }, []);

  const refresh = useCallback(() => void run(whoIsSignedIn), [run]);
  useEffect(refresh, [refresh]);
  return {
    caller,
    error,
    busy,
    refresh,
    signIn: (email, password) => run(() => signIn(email, password)),
    async signOut() {
      // A session that has ended meanwhile is as good as one that is ended now.
      await run(() => signOut().catch(() => undefined).then(whoIsSignedIn));
    },
  };
}

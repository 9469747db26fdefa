import { QueryClient, QueryClientProvider } from '@tanstack/react-query';
import { createContext, useCallback, useContext, useMemo, useRef, useState, type ReactNode } from 'react';
import type { WhoAmI } from '#libs/contracts';
import { isPassing, Refused } from './api-failure.js';
import { FarmApi } from './farm-api.js';
import { SignInPage } from './sign-in-page.js';
import { storedToken, storeToken } from './token-store.js';

interface SessionValue {
  readonly api: FarmApi;
  readonly signOut: (why?: string) => void;
}

const SessionContext = createContext<SessionValue | null>(null);
const MeContext = createContext<WhoAmI | null>(null);

export function useSession(): SessionValue {
  const session = useContext(SessionContext);
  if (session === null) throw new Error('nobody is signed in here');
  return session;
}

/** Who is signed in. */
export function useMe(): WhoAmI {
  const me = useContext(MeContext);
  if (me === null) throw new Error('nobody is signed in here');
  return me;
}

export function MeProvider({ me, children }: { readonly me: WhoAmI; readonly children: ReactNode }) {
  return <MeContext value={me}>{children}</MeContext>;
}

/** Shows its children to whoever has a token, and the sign-in to everybody else. What one token has seen is forgotten with it. */
export function Session({ children }: { readonly children: ReactNode }) {
  const [token, setToken] = useState(storedToken);
  const [why, setWhy] = useState<string | null>(null);
  const current = useRef(token);
  const change = useCallback((next: string | null, reason: string | null) => {
    current.current = next;
    storeToken(next);
    setToken(next);
    setWhy(reason);
  }, []);
  const inside = useMemo(() => {
    if (token === null) return null;
    const api = new FarmApi(token, ({ message }) => {
      // A late answer about an earlier token says nothing of this one.
      if (current.current === token) change(null, `You were signed out: ${message}.`);
    });
    const signOut = (reason?: string): void => change(null, reason ?? null);
    return { session: { api, signOut }, queries: makeQueries() };
  }, [token, change]);
  if (inside === null) return <SignInPage why={why} onToken={(next) => change(next, null)} />;
  return (
    <SessionContext value={inside.session}>
      <QueryClientProvider client={inside.queries}>{children}</QueryClientProvider>
    </SessionContext>
  );
}

/** Nothing is asked for again because of its age: the event stream says when something changed. */
function makeQueries(): QueryClient {
  return new QueryClient({
    defaultOptions: {
      queries: {
        staleTime: Infinity,
        networkMode: 'always',
        refetchOnWindowFocus: false,
        refetchOnReconnect: false,
        retry: (failures, error) => isPassing(error) && failures < 3,
        retryDelay: (failures, error) =>
          error instanceof Refused && error.retryAfterMs !== null ? error.retryAfterMs : 1000 * 2 ** failures,
      },
      mutations: { networkMode: 'always' },
    },
  });
}

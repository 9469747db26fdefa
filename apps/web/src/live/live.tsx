import { useQueryClient } from '@tanstack/react-query';
import { createContext, useContext, useEffect, useMemo, useState, type ReactNode } from 'react';
import type { FarmEvent } from '#libs/contracts';
import { useSession } from '../session/session.js';
import { followFarm } from './follow-farm.js';
import { Refresher } from './refresher.js';
import { whileSeen } from './while-seen.js';

export type Connection =
  | { readonly kind: 'connecting' }
  | { readonly kind: 'live' }
  | { readonly kind: 'lost'; readonly since: number; readonly why: string };

type EventListener = (event: FarmEvent) => void;

interface LiveValue {
  readonly connection: Connection;
  /** The events of the farm from now on. Returns what ends it. */
  readonly subscribe: (listener: EventListener) => () => void;
}

const LiveContext = createContext<LiveValue | null>(null);

export function useLive(): LiveValue {
  const live = useContext(LiveContext);
  if (live === null) throw new Error('nothing is followed here');
  return live;
}

/** Follows the farm while it is shown, and keeps everything true that the page has asked for. */
export function Live({ children }: { readonly children: ReactNode }) {
  const { api } = useSession();
  const queries = useQueryClient();
  const [connection, setConnection] = useState<Connection>({ kind: 'connecting' });
  const listeners = useMemo(() => new Set<EventListener>(), []);

  useEffect(() => {
    const over = new AbortController();
    const refresher = new Refresher(queries, over.signal);
    const listener = {
      opened: () => {
        setConnection({ kind: 'live' });
        refresher.everything();
      },
      event: (event: FarmEvent) => {
        refresher.take(event);
        for (const tell of listeners) tell(event);
      },
      disordered: () => refresher.everything(),
      lost: (why: string) =>
        setConnection((before) =>
          before.kind === 'lost' ? { ...before, why } : { kind: 'lost', since: Date.now(), why },
        ),
    };
    const leave = whileSeen((signal) => void followFarm(api, listener, signal));
    return () => {
      leave();
      over.abort();
    };
  }, [api, queries, listeners]);

  const live = useMemo(
    () => ({
      connection,
      subscribe: (listener: EventListener) => {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    }),
    [connection, listeners],
  );
  return <LiveContext value={live}>{children}</LiveContext>;
}

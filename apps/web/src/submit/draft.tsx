import { createContext, useContext, useMemo, useRef, useState, type ReactNode } from 'react';
import { AS_IT_IS, type Choice } from './choice.js';
import { isXml, type Dropped } from './dropped.js';

/** What somebody is about to submit. */
export interface Draft {
  /** Whose it is; `null`: nobody has dropped anything. */
  readonly user: string | null;
  readonly things: readonly Dropped[];
  /** Grows with everything that is dropped. */
  readonly revision: number;
  /** Address of the manifest that is meant; `null`: the last one that was dropped. */
  readonly chosen: string | null;
  readonly choice: Choice;
}

interface DraftValue {
  readonly draft: Draft;
  readonly drop: (user: string, things: readonly Dropped[]) => void;
  readonly choose: (address: string) => void;
  readonly decide: (part: Partial<Choice>) => void;
  readonly forget: () => void;
  /** The idempotency key of a submission, the same until it is known to be a build: an order that was lost may be given again. */
  readonly keyFor: (submission: string) => string;
  readonly submitted: () => void;
}

const NONE: Draft = { user: null, things: [], revision: 0, chosen: null, choice: AS_IT_IS };
const DraftContext = createContext<DraftValue | null>(null);

/** Outlives a session: a token that expires takes nothing with it that was dropped. Signing out does. */
export function DraftProvider({ children }: { readonly children: ReactNode }) {
  const [draft, setDraft] = useState(NONE);
  const order = useRef<{ readonly submission: string; readonly key: string } | null>(null);
  const orders = useMemo(
    () => ({
      drop: (user: string, things: readonly Dropped[]) => {
        if (things.length > 0) setDraft((before) => withDropped(before, user, things));
      },
      choose: (chosen: string) => setDraft((before) => ({ ...before, chosen })),
      decide: (part: Partial<Choice>) =>
        setDraft((before) => ({ ...before, choice: { ...before.choice, ...part } })),
      forget: () => setDraft(({ revision }) => ({ ...NONE, revision: revision + 1 })),
      keyFor: (submission: string) => {
        if (order.current?.submission !== submission) order.current = { submission, key: randomKey() };
        return order.current.key;
      },
      submitted: () => {
        order.current = null;
      },
    }),
    [],
  );
  const value = useMemo(() => ({ draft, ...orders }), [draft, orders]);
  return <DraftContext value={value}>{children}</DraftContext>;
}

export function useDraft(): DraftValue {
  const value = useContext(DraftContext);
  if (value === null) throw new Error('nothing can be dropped here');
  return value;
}

/** What another user has dropped before is not this one's. */
export function draftOf(draft: Draft, user: string): Draft {
  return draft.user === user ? draft : { ...NONE, revision: draft.revision };
}

/** A thing of the same name is the same thing, changed; what was decided about it stays. */
function withDropped(before: Draft, user: string, things: readonly Dropped[]): Draft {
  const base = draftOf(before, user);
  const names = new Set(things.map(({ name }) => name));
  return {
    ...base,
    user,
    things: [...base.things.filter(({ name }) => !names.has(name)), ...things],
    revision: before.revision + 1,
    chosen: things.some(({ kind, name }) => kind === 'file' && isXml(name)) ? null : base.chosen,
  };
}

/** `crypto.randomUUID` is for pages over TLS only. */
function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return `web-${[...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')}`;
}

import { useId, useState, type SubmitEvent } from 'react';
import type { WhoAmI } from '#libs/contracts';
import { inWords } from './api-failure.js';
import { FarmApi } from './farm-api.js';

interface SignInPageProps {
  /** What to tell whoever was sent here. */
  readonly why: string | null;
  readonly onToken: (token: string) => void;
}

/** Asks for a token, and tries it before it is kept. */
export function SignInPage({ why, onToken }: SignInPageProps) {
  const [token, setToken] = useState('');
  const [problem, setProblem] = useState<string | null>(null);
  const [isBusy, setBusy] = useState(false);
  const ids = { field: useId(), note: useId(), problem: useId() };

  const submit = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    setProblem(null);
    try {
      await new FarmApi(token.trim()).get<WhoAmI>('/whoami');
      onToken(token.trim());
    } catch (error) {
      setProblem(inWords(error).message);
      setBusy(false);
    }
  };

  return (
    <main className="sign-in">
      <title>Sign in · distrofarm</title>
      <form onSubmit={(event) => void submit(event)} aria-busy={isBusy}>
        <h1>distrofarm</h1>
        {why !== null && (
          <p className="notice" role="status">
            {why}
          </p>
        )}
        <label htmlFor={ids.field}>API token</label>
        <input
          id={ids.field}
          type="password"
          autoComplete="off"
          spellCheck={false}
          required
          autoFocus
          value={token}
          aria-describedby={`${ids.note}${problem === null ? '' : ` ${ids.problem}`}`}
          aria-invalid={problem !== null}
          onChange={(event) => setToken(event.target.value)}
        />
        {problem !== null && (
          <p id={ids.problem} className="problem" role="alert">
            {problem}
          </p>
        )}
        <button type="submit" className="primary" disabled={isBusy || token.trim() === ''}>
          {isBusy ? 'Signing in…' : 'Sign in'}
        </button>
        <p id={ids.note} className="hint">
          The token is kept in this tab only, until you sign out or close it. An admin makes one with{' '}
          <code>distrofarm tokens create USER --role ROLE</code>.
        </p>
      </form>
    </main>
  );
}

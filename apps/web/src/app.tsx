import { useQueryClient, type QueryClient } from '@tanstack/react-query';
import { lazy, Suspense, useEffect, useRef, type ReactNode } from 'react';
import { Link, Route, Switch, useLocation, useRoute } from 'wouter';
import type { WhoAmI } from '#libs/contracts';
import { AgentPage } from './agents/agent-page.js';
import { AgentsPage } from './agents/agents-page.js';
import { BuildPage } from './build/build-page.js';
import { CheckpointsPage } from './checkpoints/checkpoints-page.js';
import { CollectionPage } from './checkpoints/collection-page.js';
import { Answer } from './kit/answer.js';
import { ErrorBoundary } from './kit/error-boundary.js';
import { ConnectionNotice } from './live/connection-notice.js';
import { Live } from './live/live.js';
import { VersionNotice } from './live/version-notice.js';
import { BuildsPage } from './overview/builds-page.js';
import { OverviewPage } from './overview/overview-page.js';
import { JsonPage } from './kit/json-page.js';
import { MeProvider, Session, useMe, useSession } from './session/session.js';
import { useFarm } from './session/use-farm.js';
import { DraftProvider, useDraft } from './submit/draft.js';

const SubmitPage = lazy(async () => ({ default: (await import('./submit/submit-page.js')).SubmitPage }));
const LogPage = lazy(async () => ({ default: (await import('./log/log-page.js')).LogPage }));
const DiffPage = lazy(async () => ({ default: (await import('./checkpoints/diff-page.js')).DiffPage }));

const ME = '/whoami';

/** Every address of the page, in one place. */
export function App() {
  return (
    <DraftProvider>
      <Session>
        <Live>
          <SignedIn>
            <Suspense fallback={<p className="waiting">Loading…</p>}>
              <Switch>
                <Route path="/">{() => <OverviewPage />}</Route>
                <Route path="/submit">{() => <SubmitPage />}</Route>
                <Route path="/builds">{() => <BuildsPage />}</Route>
                <Route path="/builds/:build/log/:attempt">
                  {({ build, attempt }) => <LogPage key={attempt} build={build} attempt={attempt} />}
                </Route>
                <Route path="/builds/:build">{({ build }) => <BuildPage build={build} view="steps" />}</Route>
                <Route path="/builds/:build/timeline">
                  {({ build }) => <BuildPage build={build} view="timeline" />}
                </Route>
                <Route path="/builds/:build/artifacts">
                  {({ build }) => <BuildPage build={build} view="artifacts" />}
                </Route>
                <Route path="/checkpoints">{() => <CheckpointsPage />}</Route>
                <Route path="/checkpoints/collection">{() => <CollectionPage />}</Route>
                <Route path="/checkpoints/diff">{() => <DiffPage />}</Route>
                <Route path="/agents">{() => <AgentsPage />}</Route>
                <Route path="/agents/:agent">{({ agent }) => <AgentPage agent={agent} />}</Route>
                <Route path="/json/*">{(parts) => <JsonPage path={`/${parts['*']}`} />}</Route>
                <Route>{() => <NoSuchPage />}</Route>
              </Switch>
            </Suspense>
          </SignedIn>
        </Live>
      </Session>
    </DraftProvider>
  );
}

/** Nothing is shown before the farm has said who this is: what may be done depends on it. */
function SignedIn({ children }: { readonly children: ReactNode }) {
  const me = useFarm<WhoAmI>(ME);
  if (me.data === undefined) {
    return (
      <main className="sign-in">
        <Answer of={me} what="who you are">
          {() => null}
        </Answer>
      </main>
    );
  }
  return (
    <MeProvider me={me.data}>
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <TopBar />
      <ConnectionNotice />
      <VersionNotice />
      <Main>{children}</Main>
    </MeProvider>
  );
}

/** Whoever has followed a link is at the beginning of the new page, with the keyboard and a screen reader too. */
function Main({ children }: { readonly children: ReactNode }) {
  const [path] = useLocation();
  const queries = useQueryClient();
  const place = useRef<HTMLElement>(null);
  const before = useRef(path);
  useEffect(() => {
    if (before.current === path) return;
    before.current = path;
    place.current?.focus({ preventScroll: true });
    window.scrollTo(0, 0);
  }, [path]);
  return (
    <main id="main" ref={place} tabIndex={-1}>
      <ErrorBoundary key={path} onFailure={() => forgetAnswers(queries)}>
        {children}
      </ErrorBoundary>
    </main>
  );
}

/** What the page failed at may have been one of them. */
function forgetAnswers(queries: QueryClient): void {
  queries.removeQueries({ predicate: ({ queryKey: [path] }) => path !== ME });
}

function TopBar() {
  const { signOut } = useSession();
  const { forget } = useDraft();
  const me = useMe();
  return (
    <header className="top-bar">
      <Link href="/" className="brand">
        distrofarm <span className="farm-name">{me.farm}</span>
      </Link>
      <nav aria-label="Pages">
        <PageLink to="/" exact>
          Overview
        </PageLink>
        <PageLink to="/builds">Builds</PageLink>
        <PageLink to="/checkpoints">Checkpoints</PageLink>
        <PageLink to="/agents">Agents</PageLink>
        <PageLink to="/submit">Submit</PageLink>
      </nav>
      <div className="spread" />
      <span className="who" title={`Signed in as ${me.user}, ${me.role}`}>
        {me.user} <span className="role">{me.role}</span>
      </span>
      <button
        type="button"
        className="quiet"
        onClick={() => {
          forget();
          signOut();
        }}
      >
        Sign out
      </button>
    </header>
  );
}

function PageLink({ to, exact = false, children }: PageLinkProps) {
  const [isHere] = useRoute(exact ? to : `${to}/*?`);
  return (
    <Link href={to} aria-current={isHere ? 'page' : undefined}>
      {children}
    </Link>
  );
}

interface PageLinkProps {
  readonly to: string;
  /** Not for what is below the address, too. */
  readonly exact?: boolean;
  readonly children: ReactNode;
}

function NoSuchPage() {
  return (
    <section>
      <title>No such page · distrofarm</title>
      <h1>There is nothing at this address</h1>
      <p>
        <Link href="/">The overview</Link> leads to all that there is.
      </p>
    </section>
  );
}

import { useMemo } from 'react';
import { useLocation } from 'wouter';
import type { SubmittedBuild } from '#libs/contracts';
import { chooseVariants, placedIn, type Manifest } from '#libs/manifest';
import { ActionButton } from '../kit/action-button.js';
import { CopyButton } from '../kit/copy-button.js';
import { Failure } from '../kit/failure.js';
import { PageHead } from '../kit/page-head.js';
import { Refused } from '../session/api-failure.js';
import { useMe } from '../session/session.js';
import { useOrder } from '../session/use-farm.js';
import { showUnseen } from '../session/visible-text.js';
import { whyNot } from '../session/why-not.js';
import { choiceFor, type Choice } from './choice.js';
import { draftOf, useDraft, type Draft } from './draft.js';
import { DropZone } from './drop-zone.js';
import type { Gathered } from './gather.js';
import { noteOfFarm, type LineNote } from './line-notes.js';
import { OptionsForm } from './options-form.js';
import { PlanView } from './plan-view.js';
import { Problems } from './problems.js';
import {
  chosenVariants,
  sizeProblem,
  submissionBody,
  type ChosenVariants,
  type SentFiles,
} from './submission-body.js';
import { submitCommand } from './submit-command.js';
import { useLooked, usePlan, useSentFiles, type LookedAt } from './use-submission.js';
import { VariantsChoice } from './variants-choice.js';

/** As the plan: a thousand variants take the farm a while. */
const LONGEST_SUBMISSION_MS = 120_000;

/** From a file that is dropped to a build that is started. */
export function SubmitPage() {
  const me = useMe();
  const { draft: kept, drop } = useDraft();
  const draft = draftOf(kept, me.user);
  const looked = useLooked(draft);
  return (
    <div className="submit">
      <PageHead title="Submit a build" json={null} />
      <DropZone onDrop={(things) => drop(me.user, things)}>
        Drop a manifest here, with the files that belong to it (scripts, and what it includes), or the folder
        that has all of it.
      </DropZone>
      {looked.isError && <Failure error={looked.error} onRetry={() => void looked.refetch()} />}
      {looked.isLoading && <p className="waiting">Reading what was dropped…</p>}
      {looked.data !== undefined && draft.things.length > 0 && <Dropped draft={draft} looked={looked.data} />}
    </div>
  );
}

function Dropped({ draft, looked }: { readonly draft: Draft; readonly looked: LookedAt }) {
  const { choose, forget } = useDraft();
  const { candidates, gathered } = looked;
  return (
    <>
      <div className="filters">
        {gathered === null ? (
          <p>No manifest is among what was dropped.</p>
        ) : candidates.length > 1 ? (
          <label>
            Manifest{' '}
            <select value={gathered.address} onChange={({ target }) => choose(target.value)}>
              {candidates.map((address) => (
                <option key={address} value={address}>
                  {showUnseen(address)}
                </option>
              ))}
            </select>
          </label>
        ) : (
          <p>
            Manifest <code>{showUnseen(gathered.address)}</code>
          </p>
        )}
        <button type="button" onClick={forget}>
          Forget it
        </button>
      </div>
      {gathered !== null && <Submission draft={draft} looked={looked} gathered={gathered} />}
    </>
  );
}

interface SubmissionProps {
  readonly draft: Draft;
  readonly looked: LookedAt;
  readonly gathered: Gathered;
}

function Submission({ draft, looked, gathered }: SubmissionProps) {
  const me = useMe();
  const { decide } = useDraft();
  const { manifest } = gathered;
  const choice = choiceFor(draft.choice, manifest?.steps ?? [], looked.spare);
  const chosen = manifest === null ? null : chosenVariants(choice, manifest);
  const refusal = manifest === null || chosen === null ? null : refusalOf(manifest, chosen);
  const own = gathered.notes.filter(({ kind }) => kind === 'error');
  const isWhole = manifest !== null && own.length === 0;
  const sent = useSentFiles(looked, choice, isWhole);
  const tooLarge = sent.data === undefined ? null : sizeProblem(sent.data);
  const role = whyNot(me, 'submitter');
  const isAskable = isWhole && chosen !== null && refusal === null && tooLarge === null && role === null;
  const plan = usePlan(looked.of, choice, isAskable ? (sent.data ?? null) : null, isAskable ? chosen : null);
  const { placed, rest } = useMemo(
    () => placedProblems(plan.error, gathered, sent.data ?? null),
    [plan.error, gathered, sent.data],
  );
  const notes = useMemo(() => [...gathered.notes, ...placed], [gathered.notes, placed]);
  const why =
    role ??
    (own.length > 0 || manifest === null ? 'its problems are to be mended first' : null) ??
    (chosen === null ? 'nothing is ticked to be built' : null) ??
    refusal ??
    tooLarge ??
    (plan.error instanceof Refused ? 'the farm does not take it' : null) ??
    (sent.data === undefined ? 'its files are being read' : null);
  return (
    <>
      <Problems key={gathered.address} gathered={gathered} notes={notes} />
      {manifest !== null && (
        <>
          <VariantsChoice manifest={manifest} choice={choice} onDecide={decide} />
          {chosen === null && <p className="problem">Tick what is to be built.</p>}
          {refusal !== null && <p className="problem">{showUnseen(refusal)}</p>}
          <OptionsForm manifest={manifest} spare={looked.spare} choice={choice} onDecide={decide} />
        </>
      )}
      {tooLarge !== null && <p className="problem">{tooLarge}</p>}
      {sent.isError && <Failure error={sent.error} />}
      {isAskable && (
        <section aria-label="Plan">
          <h2>Plan</h2>
          {plan.isError && <Failure error={rest} onRetry={() => void plan.refetch()} />}
          {plan.data === undefined
            ? !plan.isError && <p className="waiting">The farm works out what is there already…</p>
            : !plan.isError && <PlanView plan={plan.data} isOld={plan.isPlaceholderData} />}
        </section>
      )}
      <Start
        of={looked.of}
        choice={choice}
        address={gathered.address}
        files={sent.data ?? null}
        chosen={chosen}
        whyNot={why}
      />
    </>
  );
}

interface StartProps {
  /** As `LookedAt` has it. */
  readonly of: string;
  readonly choice: Choice;
  readonly address: string;
  readonly files: SentFiles | null;
  readonly chosen: ChosenVariants | null;
  readonly whyNot: string | null;
}

function Start({ of, choice, address, files, chosen, whyNot: reason }: StartProps) {
  const { keyFor, submitted } = useDraft();
  const order = useOrder<SubmittedBuild>();
  const [, go] = useLocation();
  const start = (): void => {
    if (files === null || chosen === null || order.isPending) return;
    const key = keyFor(JSON.stringify([of, choice]));
    const body = submissionBody(files, chosen, choice, key);
    order.mutate(
      { path: '/builds', body, timeoutMs: LONGEST_SUBMISSION_MS },
      {
        onSuccess: ({ build }) => {
          submitted();
          go(`/builds/${build.id}`);
        },
      },
    );
  };
  return (
    <section aria-label="Start">
      {order.isError && <Failure error={order.error} />}
      <div className="actions">
        <ActionButton
          whyNot={order.isPending ? 'it is being submitted' : reason}
          tone="primary"
          onClick={start}
        >
          {order.isPending ? 'Starting…' : 'Start the build'}
        </ActionButton>
        {reason !== null && <span className="more">Not yet: {showUnseen(reason)}</span>}
      </div>
      {chosen !== null && <SameCommand command={showUnseen(submitCommand(address, chosen, choice))} />}
    </section>
  );
}

function SameCommand({ command }: { readonly command: string }) {
  return (
    <div className="same-command">
      <p className="hint">The same on the command line, where the manifest lies:</p>
      <pre className="command" tabIndex={0} aria-label="Command that does the same">
        {command}
      </pre>
      <CopyButton text={command} />
    </div>
  );
}

/** Why these variants cannot be built together; `null`: they can. */
function refusalOf(manifest: Manifest, { variants: names, matrix }: ChosenVariants): string | null {
  const result = chooseVariants(manifest, { names, matrix: new Map(Object.entries(matrix)) });
  return result.ok ? null : `${result.reason}. ${result.hint}`;
}

/** What the farm found, at its line where it says so; the rest is told as any refusal. */
function placedProblems(
  error: Error | null,
  { address, manifest }: Gathered,
  sent: SentFiles | null,
): { readonly placed: readonly LineNote[]; readonly rest: Error | null } {
  if (!(error instanceof Refused) || sent === null) return { placed: [], rest: error };
  const names = new Map([
    [sent.manifestPath, address],
    ...(manifest?.includes ?? []).map(
      (part) => [placedIn(sent.manifestPath, part), placedIn(address, part)] as const,
    ),
  ]);
  const found = error.problems.map((problem) => ({ problem, note: noteOfFarm(problem, names) }));
  const rest = found.flatMap(({ problem, note }) => (note === null ? [problem] : []));
  return {
    placed: found.flatMap(({ note }) => note ?? []),
    rest: new Refused(error.code, error.status, error.message, error.hint, rest),
  };
}

import { keyNodepath, queryManifest, readsCover, type Manifest } from '#libs/manifest';
import type { PlannedStep } from '#libs/plan';
import type { AnswerQuery, QueryAnswer } from './manifest-socket.js';

/**
 * What a step may ask of the manifest. A step that declares its reads gets those and nothing else, so that the declaration cannot be
 * wrong silently; one that declares nothing gets everything but passwords.
 *
 * @param note told of each refusal, and of requests that are no nodepath (which, as in distro_const, have no values)
 * @param asked told of each nodepath that is answered
 */
export function answerFromManifest(
  manifest: Manifest,
  step: PlannedStep,
  note: (text: string) => void,
  asked: (nodepath: string) => void = () => undefined,
): AnswerQuery {
  const refuse = (reason: string): QueryAnswer => {
    note(`refused: ${reason}`);
    return { kind: 'refused', reason };
  };
  return (request, byKey) => {
    const nodepath = byKey ? keyNodepath(request) : request;
    const result = queryManifest(manifest.root, nodepath);
    if (!result.ok) {
      note(`"${nodepath}" is no nodepath: ${result.reason}`);
      return { kind: 'values', values: [] };
    }
    if (step.reads !== null && !readsCover(step.reads, nodepath)) {
      return refuse(
        `step "${step.name}" asked for "${nodepath}", which is not among its declared reads: add it to its farm:reads, in the manifest or the script's header (distrofarm reads shows what past runs asked for)`,
      );
    }
    if (step.reads === null && result.isSecret) {
      return refuse(
        `step "${step.name}" asked for "${nodepath}", a password; declare it with farm:reads to grant that`,
      );
    }
    asked(nodepath);
    return { kind: 'values', values: result.values };
  };
}

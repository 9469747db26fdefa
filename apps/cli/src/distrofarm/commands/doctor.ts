import type { Command } from 'commander';
import { example } from '../example.js';
import { diagnose, type Finding } from '../diagnose.js';
import { EXIT } from '../exit-codes.js';
import type { Session } from '../session.js';

export function doctor(command: Command, session: Session): void {
  example(command, 'distrofarm doctor').action(async () => {
    const findings: Finding[] = [];
    for await (const finding of diagnose(session)) {
      findings.push(finding);
      if (!session.json) await session.print(...findingLines(session, finding));
    }
    if (session.json) await session.printJson(findings);
    const bad = findings.filter(({ verdict }) => verdict === 'bad');
    if (bad.length > 0) session.fail(EXIT.failed);
    else if (!session.json) await session.print('Nothing is wrong.');
  });
}

function findingLines({ colours }: Session, { verdict, check, found, advice }: Finding): readonly string[] {
  const mark = { ok: colours.green('✓'), warn: colours.yellow('!'), bad: colours.red('✗') }[verdict];
  return [`${mark} ${check.padEnd(10)} ${found}`, ...(advice === null ? [] : [`             ${advice}`])];
}

import { describe, expect, it } from '@jest/globals';
import { COMMANDS } from './commands.js';
import { EXIT } from './exit-codes.js';
import { programFor, run } from './run.js';
import { Session } from './session.js';
import { buildOf } from '../../../../libs/watch/src/testing.js';
import { farmAnswering, ioOf } from './testing.js';

const NOWHERE = { XDG_CONFIG_HOME: '/nonexistent' };

describe('run', () => {
  it.each([
    [['lst'], EXIT.usage, /unknown command 'lst'\n\(Did you mean list\?\)/],
    [['list', '--stat', 'x'], EXIT.usage, /Did you mean --state/],
    [['agents', 'drian', 'x'], EXIT.usage, /Did you mean drain/],
    [['agents'], EXIT.usage, /Usage: distrofarm agents/],
    [[], EXIT.usage, /Usage: distrofarm COMMAND/],
    [['watch', 'a', 'b'], EXIT.usage, /too many arguments/],
    [['agents', 'pause', 'x'], EXIT.usage, /required option '--why <text>'/],
    [['submit', 'x.xml', '-l', '-R'], EXIT.usage, /cannot be used with/],
    [['submit', 'x.xml', '-r', 'a', '-R'], EXIT.usage, /cannot be used with/],
    [['log', '--tail', '0'], EXIT.usage, /whole number from 1/],
    [['list'], EXIT.config, /no farm is configured\n.*distrofarm up\n.*distrofarm login URL/],
    [['list', '-P', 'office'], EXIT.config, /no profile has the name "office"/],
    [['submit', '/nonexistent.xml'], EXIT.usage, /does not exist/],
    [['login', 'farm.example'], EXIT.usage, /is no address of a farm/],
    [['login', 'http://farm.example'], EXIT.config, /a token is not sent to/],
    [['login', 'https://farm.example'], EXIT.usage, /no token was given/],
  ])('%j exits with %i', async (args, exit, message) => {
    const io = ioOf({ env: NOWHERE });
    expect(await run(args, io)).toBe(exit);
    expect(io.err()).toMatch(message);
  });

  it.each([
    [['--help'], /submit +have a manifest built/],
    [['help', 'agents', 'pause'], /Usage: distrofarm agents pause/],
    [['help', 'exit-codes'], /130 {2}interrupted/],
    [['--version'], /^\d+\.\d+\.\d+\n$/],
    [['version', '--json'], /^{"client":".*","server":null}\n$/],
    [['completion', 'bash'], /complete -F/],
    [['complete', '--', 'agents', 'dr'], /^drain\t/],
    [['complete', '--', 'submit', '--priority', ''], /^low/],
  ])('%j prints it', async (args, output) => {
    const io = ioOf({ env: NOWHERE });
    expect(await run(args, io)).toBe(EXIT.ok);
    expect(io.out()).toMatch(output);
  });

  it('says what a refusal says, harmless, and as JSON where asked', async () => {
    const body = { code: 'FORBIDDEN', message: 'no\u001b[2J', hint: 'ask', problems: ['one', 'two'] };
    await using test = await farmAnswering((_request, response) =>
      response.writeHead(403).end(JSON.stringify(body)),
    );
    const io = ioOf({ env: { ...NOWHERE, DISTROFARM_URL: test.url } });
    expect(await run(['show', '--json'], io)).toBe(EXIT.permission);
    expect(io.err()).toBe('distrofarm: no\\x1b[2J\n  one\n  two\nask\n');
    expect(JSON.parse(io.out())).toEqual({ error: body });
  });

  it('completes what an option names', async () => {
    const agents = [{ name: 'tank', state: 'idle' }];
    await using test = await farmAnswering((_request, response) => response.end(JSON.stringify({ agents })));
    const io = ioOf({ env: { ...NOWHERE, DISTROFARM_URL: test.url } });
    expect(await run(['complete', '--', 'resume', 'latest', '--on', ''], io)).toBe(EXIT.ok);
    expect(io.out()).toMatch(/^tank\tidle/);
  });

  it('gives the answer of the farm unchanged as JSON', async () => {
    const build = buildOf({ note: '\u001b[31mred\u009b' });
    await using test = await farmAnswering((_request, response) => response.end(JSON.stringify(build)));
    const env = { ...NOWHERE, DISTROFARM_URL: test.url };
    const [json, text] = [ioOf({ env }), ioOf({ env })];
    expect(await run(['--json', 'show', 'b-0000000001'], json)).toBe(EXIT.ok);
    expect(JSON.parse(json.out())).toEqual(build);
    expect(await run(['show', 'b-0000000001'], text)).toBe(EXIT.ok);
    expect(text.out()).toContain('\\x1b[31mred\\x9b');
    expect(`${json.out()}${text.out()}`).not.toMatch(/[\u001b\u009b]/);
  });

  it('reads ids from standard input, and does all though one fails', async () => {
    const cancelled: string[] = [];
    await using test = await farmAnswering((request, response) => {
      const id = (request.url ?? '').split('/')[4] ?? '';
      cancelled.push(id);
      if (id !== 'b-2') return void response.end(JSON.stringify(buildOf({ state: 'cancelled' })));
      response
        .writeHead(404)
        .end(JSON.stringify({ code: 'NOT_FOUND', message: 'no b-2', hint: null, problems: [] }));
    });
    const io = ioOf({ env: { ...NOWHERE, DISTROFARM_URL: test.url }, typed: 'b-1  Live\nb-2\n\nb-3\n' });
    expect(await run(['cancel', '-'], io)).toBe(EXIT.notFound);
    expect(cancelled).toEqual(['b-1', 'b-2', 'b-3']);
    expect(io.err()).toBe('distrofarm: no b-2\n');
  });

  it('says where nobody answers', async () => {
    const io = ioOf({ env: { ...NOWHERE, DISTROFARM_URL: 'unix:/nonexistent/farm.sock' } });
    expect(await run(['list'], io)).toBe(EXIT.server);
    expect(io.err()).toMatch(/cannot reach unix:\/nonexistent\/farm\.sock: there is no such socket\n/);
  });
});

describe('the commands', () => {
  it('have, each, a description, and an example that is a command of the program', async () => {
    const session = new Session(ioOf(), '0');
    for (const { name, load } of COMMANDS.filter(({ hidden }) => hidden !== true)) {
      const command = programFor(session).commands.find((each) => each.name() === name);
      if (command === undefined) throw new Error(name);
      (await load())(command, session, COMMANDS);
      const leaves = command.commands.length > 0 ? command.commands : [command];
      for (const leaf of leaves) {
        const io = ioOf({ env: NOWHERE });
        const path = leaf === command ? [name] : [name, leaf.name()];
        expect(await run([...path, '--help'], io)).toBe(EXIT.ok);
        expect(io.out()).toMatch(new RegExp(`\n\n\\S.*[^]*\nExamples?:\n.*distrofarm ${path.join(' ')}`));
      }
    }
  });
});

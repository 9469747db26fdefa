import type { KnownCommand } from './known-command.js';

/** All of `distrofarm`, in the order of its help. Each command, or noun, is a file in commands/. */
export const COMMANDS: readonly KnownCommand[] = [
  {
    name: 'up',
    summary: 'a whole farm on this machine',
    load: async () => (await import('./commands/up.js')).up,
  },
  {
    name: 'submit',
    summary: 'have a manifest built',
    load: async () => (await import('./commands/submit.js')).submit,
  },
  {
    name: 'plan',
    summary: 'what a submission would become',
    load: async () => (await import('./commands/plan.js')).plan,
  },
  {
    name: 'variants',
    summary: 'the variants of a manifest, and what each changes',
    load: async () => (await import('./commands/variants.js')).variants,
  },
  {
    name: 'list',
    summary: 'builds, newest first',
    load: async () => (await import('./commands/list.js')).list,
  },
  { name: 'show', summary: 'one build in full', load: async () => (await import('./commands/show.js')).show },
  {
    name: 'watch',
    summary: 'follow a build until it comes to rest',
    load: async () => (await import('./commands/watch.js')).watch,
  },
  {
    name: 'log',
    summary: 'what the steps of a build wrote',
    load: async () => (await import('./commands/log.js')).log,
  },
  {
    name: 'explain',
    summary: 'why a build waits, or what became of it',
    load: async () => (await import('./commands/explain.js')).explain,
  },
  {
    name: 'reads',
    summary: 'what scripts asked of the manifest, as a line to paste',
    load: async () => (await import('./commands/reads.js')).reads,
  },
  {
    name: 'timings',
    summary: 'how long the steps took',
    load: async () => (await import('./commands/timings.js')).timings,
  },
  {
    name: 'pause',
    summary: 'hold a build at its next checkpoint',
    load: async () => (await import('./commands/pause.js')).pause,
  },
  {
    name: 'resume',
    summary: 'go on with a build, or run it again from a step',
    load: async () => (await import('./commands/resume.js')).resume,
  },
  {
    name: 'cancel',
    summary: 'end a build; it can be resumed',
    load: async () => (await import('./commands/cancel.js')).cancel,
  },
  {
    name: 'retry',
    summary: 'go on with a failed or cancelled build',
    load: async () => (await import('./commands/retry.js')).retry,
  },
  {
    name: 'artifacts',
    summary: 'the files a build made: list, download',
    load: async () => (await import('./commands/artifacts.js')).artifacts,
  },
  {
    name: 'agents',
    summary: 'the hosts that build: list, enrol, drain, pause, revoke',
    load: async () => (await import('./commands/agents.js')).agents,
  },
  {
    name: 'checkpoints',
    summary: 'what agents hold: list, usage, pin, collect',
    load: async () => (await import('./commands/checkpoints.js')).checkpoints,
  },
  {
    name: 'diff',
    summary: 'what is not the same in two checkpoints: packages and files',
    load: async () => (await import('./commands/diff.js')).diff,
  },
  {
    name: 'scripts',
    summary: 'the catalogue of scripts that everybody may use',
    load: async () => (await import('./commands/scripts.js')).scripts,
  },
  {
    name: 'tokens',
    summary: 'who may use the farm: list, create, revoke',
    load: async () => (await import('./commands/tokens.js')).tokens,
  },
  {
    name: 'audit',
    summary: 'who did what, and why',
    load: async () => (await import('./commands/audit.js')).audit,
  },
  {
    name: 'events',
    summary: 'what happens on the farm',
    load: async () => (await import('./commands/events.js')).events,
  },
  {
    name: 'status',
    summary: 'the farm at a glance',
    load: async () => (await import('./commands/status.js')).status,
  },
  {
    name: 'login',
    summary: 'keep the address and token of a farm',
    load: async () => (await import('./commands/login.js')).login,
  },
  {
    name: 'logout',
    summary: 'forget them',
    load: async () => (await import('./commands/logout.js')).logout,
  },
  {
    name: 'profiles',
    summary: 'the farms you are logged in to: list, use',
    load: async () => (await import('./commands/profiles.js')).profiles,
  },
  {
    name: 'whoami',
    summary: 'what your token may do',
    load: async () => (await import('./commands/whoami.js')).whoami,
  },
  {
    name: 'doctor',
    summary: 'find out why something does not work',
    load: async () => (await import('./commands/doctor.js')).doctor,
  },
  {
    name: 'version',
    summary: 'versions of this program and of the farm',
    load: async () => (await import('./commands/version.js')).version,
  },
  {
    name: 'completion',
    summary: 'completion for bash, zsh or fish',
    load: async () => (await import('./commands/completion.js')).completion,
  },
  {
    name: 'complete',
    summary: 'what the shell asks for on the tab key',
    load: async () => (await import('./commands/completion.js')).complete,
    hidden: true,
  },
  {
    name: 'help',
    summary: 'help for a command, or "exit-codes"',
    load: async () => (await import('./commands/help.js')).help,
  },
];

import { describe, expect, it } from '@jest/globals';
import { isConflict, isDatabaseUnavailable, isUniqueViolation } from './database-errors.js';

/** As the drivers throw them; test/flow/store-database.spec.ts provokes most of them for real. */
const error = (message: string, fields: object = {}) => Object.assign(new Error(message), fields);

describe('isDatabaseUnavailable', () => {
  it.each([
    [
      'nobody listens',
      error('connect ECONNREFUSED 127.0.0.1:5432', { code: 'ECONNREFUSED', syscall: 'connect' }),
    ],
    ['no socket', error('connect ENOENT /run/postgresql', { code: 'ENOENT', syscall: 'connect' })],
    ['both addresses of localhost refuse', Object.assign(new AggregateError([]), { code: 'ECONNREFUSED' })],
    ['a shutdown', error('terminating connection due to administrator command', { code: '57P01' })],
    [
      'a crash elsewhere',
      error('terminating connection because of crash of another process', { code: '57P02' }),
    ],
    ['a start', error('the database system is starting up', { code: '57P03' })],
    ['no connection left', error('sorry, too many clients already', { code: '53300' })],
    ['a connection exception', error('connection failure', { code: '08006' })],
    ['a closed socket', error('Connection terminated unexpectedly')],
    ['a used-up pool', error('timeout exceeded when trying to connect')],
    ['no answer', error('Query read timeout')],
    [
      'a rollback on a dead connection',
      error('Client has encountered a connection error and is not queryable'),
    ],
    ['a full disk', error('database or disk is full', { code: 'SQLITE_FULL' })],
    ['a full disk, in words', error('database or disk is full')],
    ['a broken disk', error('disk I/O error', { code: 'SQLITE_IOERR_WRITE' })],
    ['another one that writes for seconds', error('database is locked', { code: 'SQLITE_BUSY' })],
    ['what was wrapped', new Error('cannot start', { cause: error('', { code: 'ECONNRESET' }) })],
  ])('is so for %s', (_, thrown) => {
    expect(isDatabaseUnavailable(thrown)).toBe(true);
  });

  it.each([
    ['a missing file', error('ENOENT: no such file', { code: 'ENOENT', syscall: 'open' })],
    ['a duplicate', error('duplicate key', { code: '23505' })],
    ['a mistake in SQL', error('syntax error', { code: '42601' })],
    ['words', 'Connection terminated'],
    ['nothing', null],
    ['a number for a code', error('', { code: 8006 })],
  ])('is not so for %s', (_, thrown) => {
    expect(isDatabaseUnavailable(thrown)).toBe(false);
  });
});

describe('isUniqueViolation', () => {
  it.each([
    error('duplicate key value violates unique constraint', { code: '23505' }),
    error('UNIQUE constraint failed: tokens.hash', { code: 'SQLITE_CONSTRAINT_UNIQUE' }),
    error('UNIQUE constraint failed: tokens.id', { code: 'SQLITE_CONSTRAINT_PRIMARYKEY' }),
    error('UNIQUE constraint failed: tokens.hash'),
  ])('knows it from %p', (thrown) => {
    expect(isUniqueViolation(thrown)).toBe(true);
  });

  it.each([error('FOREIGN KEY constraint failed', { code: 'SQLITE_CONSTRAINT_FOREIGNKEY' }), undefined, {}])(
    'is not %p',
    (thrown) => {
      expect(isUniqueViolation(thrown)).toBe(false);
    },
  );
});

describe('isConflict', () => {
  it.each([
    ['40001', true],
    ['40P01', true],
    ['SQLITE_BUSY', true],
    ['SQLITE_BUSY_SNAPSHOT', true],
    ['23505', false],
    ['57P01', false],
  ])('of code %s is %p', (code, conflict) => {
    expect(isConflict(error('', { code }))).toBe(conflict);
  });
});

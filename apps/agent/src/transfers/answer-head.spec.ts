import { describe, expect, it } from '@jest/globals';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { parseAnswerHead, takeStatus } from './answer-head.js';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nConnection: close\r\n\r\n';

describe('the head of an answer', () => {
  it('ends with an empty line, and says the status', () => {
    expect(parseAnswerHead(Buffer.from(`${HEAD}\r\n\r\nbody`))).toEqual({ status: 200, bytes: HEAD.length });
    expect(parseAnswerHead(Buffer.from('HTTP/1.0 503 No\r\n\r\n'))?.status).toBe(503);
  });

  it.each(['', 'HTT', HEAD.slice(0, -1)])('may come in parts: %j', (begin) => {
    expect(parseAnswerHead(Buffer.from(begin))).toBeNull();
  });

  it.each([
    'hello\r\n\r\n',
    'HTTP/2 200 OK\r\n\r\n',
    'HTTP/1.1 99 x\r\n\r\n',
    `${HEAD.slice(0, -2)}${'x'.repeat(16_384)}`,
  ])('is refused when it is none: %.20j', (begin) => {
    expect(() => parseAnswerHead(Buffer.from(begin))).toThrow('no answer of an agent');
  });

  it.each([1, 7, 1000])('is taken off the answer, in pieces of %d bytes', async (size) => {
    const all = Buffer.from(`${HEAD}what is behind it`);
    const pieces = Array.from({ length: Math.ceil(all.length / size) }, (_, n) =>
      all.subarray(n * size, (n + 1) * size),
    );
    const answer = Readable.from(pieces);
    expect(await takeStatus(answer)).toBe(200);
    expect((await buffer(answer)).toString()).toBe('what is behind it');
  });

  it('is missed when the other side hangs up', async () => {
    await expect(takeStatus(Readable.from([Buffer.from('HTTP/1.1 2')]))).rejects.toThrow('hung up');
  });
});

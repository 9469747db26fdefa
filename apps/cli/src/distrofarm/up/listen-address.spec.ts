import { describe, expect, it } from '@jest/globals';
import { hostname } from 'node:os';
import { EXIT } from '../exit-codes.js';
import { parseListen } from './listen-address.js';

describe('parseListen', () => {
  it.each([
    ['127.0.0.1:7455', 'http://127.0.0.1:7455', 'http://127.0.0.1:7455'],
    ['localhost:80', 'http://localhost:80', 'http://localhost:80'],
    ['[::1]:7455', 'http://[::1]:7455', 'http://[::1]:7455'],
    ['0.0.0.0:7455', 'https://127.0.0.1:7455', `https://${hostname()}:7455`],
    ['10.1.2.3:7455', 'https://10.1.2.3:7455', 'https://10.1.2.3:7455'],
    ['farm.example:7455', 'https://farm.example:7455', 'https://farm.example:7455'],
  ])('%s is reached at %s, from elsewhere at %s', (text, url, publicUrl) => {
    expect(parseListen(text)).toMatchObject({ url, publicUrl, secure: url.startsWith('https:') });
  });

  it.each(['', '7455', ':7455', '127.0.0.1', '127.0.0.1:0', '127.0.0.1:65536', '::1:7455', 'a b:1'])(
    'refuses %j',
    (text) => {
      expect(() => parseListen(text)).toThrow(expect.objectContaining({ exit: EXIT.usage }));
    },
  );
});

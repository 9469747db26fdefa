import { Router, static as serveStatic, type RequestHandler } from 'express';
import { existsSync } from 'node:fs';
import type { ServerResponse } from 'node:http';
import { join } from 'node:path';
import { INSTALL_ROOT } from '../install.js';

/** Where `npm run build` puts the page. */
const BUILT = join(INSTALL_ROOT, 'dist/apps/web');
/** Everything else is an address of the page. */
const NOT_OF_THE_PAGE = /^\/(api|agent|assets)(\/|$)/;
const DOCUMENT = 'index.html';
const YEAR_SECONDS = 31_536_000;

/**
 * What a page of the coordinator may do: run and load what the coordinator itself serves, and nothing else. No inline script or style, no
 * third party, no frame around it, and no text that becomes script in the document.
 */
export const PAGE_POLICY = {
  'default-src': ["'none'"],
  'script-src': ["'self'"],
  'style-src': ["'self'"],
  // Pictures among the artifacts are loaded with the token, by script, and shown as what that has in hand.
  'img-src': ["'self'", 'blob:'],
  'font-src': ["'self'"],
  'connect-src': ["'self'"],
  'base-uri': ["'none'"],
  'form-action': ["'none'"],
  'frame-ancestors': ["'none'"],
  'require-trusted-types-for': ["'script'"],
  'trusted-types': ["'none'"],
};

/**
 * Serves the operators' page: files below /assets carry a digest in their name and are kept for ever, every other address outside the API gives
 * the document, which is asked for anew each time.
 */
export function serveWeb(folder = BUILT): RequestHandler {
  const kept = { index: false, immutable: true, maxAge: YEAR_SECONDS * 1000, redirect: false } as const;
  const assets = join(folder, 'assets');
  return Router()
    .use('/assets', serveGzipped(serveStatic(assets, { ...kept, setHeaders: sayGzipped })))
    .use('/assets', serveStatic(assets, kept))
    .use(serveDocument(folder));
}

/** Script and style as they were compressed when the page was built, to who takes them so; where they were not, they are left to what comes behind. */
function serveGzipped(serve: RequestHandler): RequestHandler {
  return (request, response, next) => {
    if (!/\.(js|css)$/.test(request.path)) {
      next();
      return;
    }
    response.vary('Accept-Encoding');
    if (request.acceptsEncodings('gzip') === false) {
      next();
      return;
    }
    const { url } = request;
    request.url = url.replace(/(?=\?|$)/, '.gz');
    serve(request, response, (error: unknown) => {
      request.url = url;
      next(error);
    });
  };
}

function sayGzipped(response: ServerResponse, path: string): void {
  response.setHeader('Content-Encoding', 'gzip');
  response.setHeader(
    'Content-Type',
    path.endsWith('.js.gz') ? 'text/javascript; charset=utf-8' : 'text/css; charset=utf-8',
  );
}

function serveDocument(folder: string): RequestHandler {
  return (request, response, next) => {
    const isAddress = request.method === 'GET' || request.method === 'HEAD';
    if (!isAddress || NOT_OF_THE_PAGE.test(request.path)) {
      next();
      return;
    }
    if (!existsSync(join(folder, DOCUMENT))) {
      response
        .status(404)
        .type('text/plain')
        .send('The page is not built here: npm run build makes it. The API is at /api/v1.\n');
      return;
    }
    response.set('Cache-Control', 'no-cache');
    response.sendFile(DOCUMENT, { root: folder });
  };
}

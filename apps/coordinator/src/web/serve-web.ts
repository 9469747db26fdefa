import { Router, static as serveStatic, type RequestHandler } from 'express';
import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';

/** Where `npm run build` puts the page, seen from dist/apps/coordinator/src/web. */
const BUILT = resolve(import.meta.dirname, '../../../web');
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
  const assets = { index: false, immutable: true, maxAge: YEAR_SECONDS * 1000, redirect: false };
  return Router()
    .use('/assets', serveStatic(join(folder, 'assets'), assets))
    .use(serveDocument(folder));
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

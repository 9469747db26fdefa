/**
 * Where the token is between two loads of the page: in sessionStorage, which ends with the tab. Not in localStorage, where it would outlive whoever
 * sat there; not in a cookie, which the browser would send along by itself, also when another site asks; never in an address, which ends up in
 * histories and logs. Script of others cannot read it: the coordinator's Content-Security-Policy lets none run.
 */
const KEY = 'distrofarm-token';

export function storedToken(): string | null {
  try {
    return sessionStorage.getItem(KEY);
  } catch {
    // A browser that keeps nothing: the token lives as long as the page.
    return null;
  }
}

export function storeToken(token: string | null): void {
  try {
    if (token === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, token);
  } catch {
    // As above.
  }
}

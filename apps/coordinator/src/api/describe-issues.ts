/** A problem of a body, as a Standard Schema tells it. */
interface Issue {
  readonly message: string;
  readonly path?: readonly (PropertyKey | { readonly key: PropertyKey })[] | undefined;
}

/** More than this nobody reads. */
const MOST = 50;

/** A line for each problem: `variants.3.name: expected …`. */
export function describeIssues(issues: readonly Issue[]): readonly string[] {
  const lines = issues.slice(0, MOST).map(({ path = [], message }) => {
    const place = path.map((part) => String(typeof part === 'object' ? part.key : part)).join('.');
    return place === '' ? message : `${place}: ${message}`;
  });
  return issues.length > MOST ? [...lines, `… and ${issues.length - MOST} more`] : lines;
}

import { parseNodepath, type NodepathPart } from './nodepath.js';

/**
 * Whether a script that declared these reads may make this query. A declared path allows itself and all below
 * it. As a step key holds the content of the declared reads only, everything that the answer depends on must be
 * covered: with `img_params/packages` declared, `img_params/packages/../rootpass` is refused, and so is
 * `img_params[hostname=x]/packages`. A `[…]` is free from the declared node on down; further up it must be
 * declared with the same words.
 */
export function readsCover(declared: readonly string[], nodepath: string): boolean {
  const query = parseNodepath(nodepath);
  if (!query.ok) return false;
  return declared.some((text) => {
    const read = parseNodepath(text);
    return read.ok && covers(read.nodepath.parts, query.nodepath.parts);
  });
}

function covers(read: readonly NodepathPart[], query: readonly NodepathPart[]): boolean {
  const last = read.length - 1;
  const isBelow = read.every((part, index) => {
    const asked = query[index];
    return asked !== undefined && (isSame(part, asked) || (index === last && isNarrower(asked, part)));
  });
  return isBelow && staysBelow(query.slice(read.length));
}

function isSame(part: NodepathPart, other: NodepathPart): boolean {
  return part.name === other.name && JSON.stringify(part) === JSON.stringify(other);
}

/** `asked` picks among the nodes of `declared`, and looks only below them to do so. */
function isNarrower(asked: NodepathPart, declared: NodepathPart): boolean {
  const isPlain = declared.value === null && declared.predicates.length === 0;
  return isPlain && declared.name === asked.name && predicatesStayBelow(asked, 0);
}

/** Whether no `..`, also none inside brackets, leads above the node that lies `depth` levels up from here. */
function staysBelow(parts: readonly NodepathPart[], depth = 0): boolean {
  let level = depth;
  return parts.every((part) => {
    level += part.name === '..' ? -1 : 1;
    return level >= 0 && predicatesStayBelow(part, level);
  });
}

function predicatesStayBelow(part: NodepathPart, depth: number): boolean {
  return part.predicates.every(({ path }) => staysBelow(path.parts, depth));
}

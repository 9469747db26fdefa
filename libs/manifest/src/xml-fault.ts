/** What keeps a text from being read as XML; `offset` is where. */
export interface XmlFault {
  readonly offset: number;
  readonly found: string;
  readonly expected: string;
}

/** Carries a fault out of the depth of the tree; never leaves `readXml`. */
export class XmlFaultError extends Error {
  constructor(readonly fault: XmlFault) {
    super(fault.found);
  }
}

export function fail(offset: number, found: string, expected: string): never {
  throw new XmlFaultError({ offset, found, expected });
}

type Method = (...given: never[]) => unknown;

/** From now on the method is called by `instead`, which is given the method of that object, the object, and what it was called with. */
export function around<T extends object, K extends keyof T>(
  prototype: T,
  name: K,
  instead: T[K] extends (...given: infer G) => infer R
    ? (method: (...given: G) => R, object: T, ...given: G) => R
    : never,
): void {
  const method = prototype[name] as Method;
  const replaced = function (this: T, ...given: never[]): unknown {
    return (instead as (...all: unknown[]) => unknown)(method.bind(this), this, ...given);
  };
  Object.defineProperty(prototype, name, { value: replaced, configurable: true, writable: true });
}

import { hasSucceeded, imageOf, type Evidence, type Violation } from './evidence.js';

export function* sameImages({ builds }: Evidence): Iterable<Violation> {
  for (const { detail, artifacts, served, undisturbed } of builds.filter(hasSucceeded)) {
    for (const [name, sha256] of undisturbed) {
      const wrong = (text: string): Violation => ({
        invariant: 6,
        text: `${name} ${text}`,
        build: detail.id,
      });
      const found = artifacts.filter((artifact) => imageOf(artifact.variant, artifact.name) === name);
      if (found.length !== 1) yield wrong(`was published ${found.length} times`);
      for (const each of new Set([...found.map((artifact) => artifact.sha256), served.get(name)])) {
        if (each !== undefined && each !== sha256) yield wrong(`is ${each}, and ${sha256} undisturbed`);
      }
    }
  }
}

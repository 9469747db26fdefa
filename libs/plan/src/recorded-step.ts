import { ingredientChanges, withoutSecrets } from './ingredient-changes.js';
import { digestOf, type StepIngredients } from './step-ingredients.js';

/** The ingredients of a step as they may be kept: without passwords, but so that it shows when one was another. */
export interface RecordedStep {
  readonly ingredients: StepIngredients;
  /** Of all of them. */
  readonly digest: string;
}

export function recordedStep(ingredients: StepIngredients): RecordedStep {
  const reads = ingredients.reads.map(([path, content]) => [path, withoutSecrets(content)] as const);
  return { ingredients: { ...ingredients, reads }, digest: digestOf(ingredients) };
}

/** As `ingredientChanges`. */
export function stepChanges(before: RecordedStep, now: RecordedStep): readonly string[] {
  if (before.digest === now.digest) return [];
  const changes = ingredientChanges(before.ingredients, now.ingredients);
  return changes.length > 0 ? changes : ['a password that it reads changed'];
}

import type { ColumnType } from 'kysely';

/** What is in a column: `JsonOf<AgentsTable['facts']>` is AgentFacts. A type that is no column stands for itself. */
export type JsonOf<Column> = Column extends ColumnType<string, string, string> & {
  readonly __json?: infer Value;
}
  ? NonNullable<Value>
  : Column;

/** For a `Json` column: `toJson<AgentsTable['facts']>(facts)`. Keys stay in their order. */
export function toJson<Column>(value: JsonOf<NonNullable<Column>>): string {
  return JSON.stringify(value);
}

/** Of a `Json` column: `fromJson<AgentsTable['facts']>(row.facts)`. What is in the database was checked on its way in, and is not again. */
export function fromJson<Column>(text: string): JsonOf<NonNullable<Column>>;
export function fromJson<Column>(text: string | null): JsonOf<NonNullable<Column>> | null;
export function fromJson<Column>(text: string | null): JsonOf<NonNullable<Column>> | null {
  return text === null ? null : (JSON.parse(text) as JsonOf<NonNullable<Column>>);
}

/** `fromJson` for many rows of which most say the same: equal texts give the same object. */
export function rememberingJson<Column>(): (text: string) => JsonOf<NonNullable<Column>> {
  const known = new Map<string, JsonOf<NonNullable<Column>>>();
  return (text) => {
    const value = known.get(text) ?? fromJson<Column>(text);
    known.set(text, value);
    return value;
  };
}

import { lookOf, type ShownState } from './state-looks.js';

/** A state as shape and word. */
export function StateMark({
  state,
  more,
}: {
  readonly state: ShownState;
  readonly more?: string | undefined;
}) {
  const { glyph, word, tone } = lookOf(state);
  return (
    <span className="state" data-tone={tone}>
      <span className="glyph" aria-hidden="true">
        {glyph}
      </span>
      {word}
      {more !== undefined && more !== '' && <span className="more"> {more}</span>}
    </span>
  );
}

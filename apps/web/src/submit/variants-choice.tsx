import { useVirtualizer } from '@tanstack/react-virtual';
import { useId, useMemo, useRef, type ReactNode } from 'react';
import {
  describeDifference,
  findVariant,
  variantDifference,
  type Axis,
  type Manifest,
  type Variant,
} from '#libs/manifest';
import { showControls } from '../session/visible-text.js';
import type { Choice } from './choice.js';

interface VariantsChoiceProps {
  readonly manifest: Manifest;
  readonly choice: Choice;
  readonly onDecide: (part: Partial<Choice>) => void;
}

/** Variants, or values of axes, to tick, each with what it changes of the manifest. */
export function VariantsChoice({ manifest, choice, onDecide }: VariantsChoiceProps) {
  const name = useId();
  if (manifest.axes.length === 0 && manifest.variants.length === 1) return null;
  if (manifest.axes.length === 0)
    return (
      <section aria-label="Variants">
        <h2>Variants</h2>
        <Named manifest={manifest} choice={choice} onDecide={onDecide} />
      </section>
    );
  return (
    <section aria-label="Variants">
      <h2>Variants</h2>
      <div className="choices" role="radiogroup" aria-label="What to build">
        <label>
          <input
            type="radio"
            name={name}
            checked={!choice.byAxes}
            onChange={() => onDecide({ byAxes: false })}
          />
          named variants
        </label>
        <label>
          <input
            type="radio"
            name={name}
            checked={choice.byAxes}
            onChange={() => onDecide({ byAxes: true })}
          />{' '}
          every combination of the values of axes
        </label>
      </div>
      {choice.byAxes ? (
        <Axes manifest={manifest} choice={choice} onDecide={onDecide} />
      ) : (
        <Named manifest={manifest} choice={choice} onDecide={onDecide} />
      )}
    </section>
  );
}

function Named({ manifest, choice, onDecide }: VariantsChoiceProps) {
  const names = manifest.variants.map(({ name }) => name);
  const ticked = new Set(choice.variants ?? names);
  const tick = (name: string, isTicked: boolean): void => {
    const next = names.filter((each) => (each === name ? isTicked : ticked.has(each)));
    onDecide({ variants: next.length === names.length ? null : next });
  };
  return (
    <>
      {names.length > 2 && (
        <div className="actions">
          <button type="button" onClick={() => onDecide({ variants: null })}>
            All {names.length}
          </button>
          <button type="button" onClick={() => onDecide({ variants: [] })}>
            None
          </button>
        </div>
      )}
      <TickList
        label="Variants to build"
        manifest={manifest}
        variants={manifest.variants}
        isTicked={({ name }) => ticked.has(name)}
        onTick={({ name }, isTicked) => tick(name, isTicked)}
      />
    </>
  );
}

function Axes({ manifest, choice, onDecide }: VariantsChoiceProps) {
  return (
    <div className="axes">
      {manifest.axes.map((axis) => (
        <fieldset key={axis.name} className="axis">
          <legend>{axis.name}</legend>
          <AxisValues axis={axis} manifest={manifest} choice={choice} onDecide={onDecide} />
        </fieldset>
      ))}
    </div>
  );
}

function AxisValues({ axis, manifest, choice, onDecide }: VariantsChoiceProps & { readonly axis: Axis }) {
  const ticked = new Set(choice.values[axis.name]);
  // Each value by itself is a variant of the name `axis-value`.
  const alone = useMemo(
    () => axis.values.flatMap(({ name }) => findVariant(manifest, `${axis.name}-${name}`) ?? []),
    [axis, manifest],
  );
  const valueOf = (variant: Variant): string => variant.name.slice(axis.name.length + 1);
  return (
    <TickList
      label={`Values of ${axis.name}`}
      manifest={manifest}
      variants={alone}
      nameOf={valueOf}
      isTicked={(variant) => ticked.has(valueOf(variant))}
      onTick={(variant, isTicked) => {
        const values = axis.values
          .map(({ name }) => name)
          .filter((name) => (name === valueOf(variant) ? isTicked : ticked.has(name)));
        onDecide({ values: { ...choice.values, [axis.name]: values } });
      }}
    />
  );
}

const ROW_PX = 28;

interface TickListProps {
  readonly label: string;
  readonly manifest: Manifest;
  readonly variants: readonly Variant[];
  readonly nameOf?: (variant: Variant) => string;
  readonly isTicked: (variant: Variant) => boolean;
  readonly onTick: (variant: Variant, isTicked: boolean) => void;
}

/** A thousand variants scroll as ten do: what each changes is worked out when it is seen. */
function TickList({ label, manifest, variants, nameOf, isTicked, onTick }: TickListProps) {
  const scroller = useRef<HTMLDivElement>(null);
  const virtual = useVirtualizer({
    count: variants.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_PX,
    overscan: 10,
  });
  return (
    <div ref={scroller} className="ticks" role="group" aria-label={label}>
      <div className="ticks-body" style={{ height: virtual.getTotalSize() }}>
        {virtual.getVirtualItems().map(({ index, start }) => {
          const variant = variants[index];
          return variant === undefined ? null : (
            <div
              key={index}
              ref={virtual.measureElement}
              data-index={index}
              className="tick"
              style={{ transform: `translateY(${start}px)` }}
            >
              <Tick
                name={nameOf?.(variant) ?? variant.name}
                isOptional={variant.isOptional}
                isTicked={isTicked(variant)}
                onTick={(ticked) => onTick(variant, ticked)}
              >
                <Difference manifest={manifest} variant={variant} />
              </Tick>
            </div>
          );
        })}
      </div>
    </div>
  );
}

interface TickProps {
  readonly name: string;
  readonly isOptional: boolean;
  readonly isTicked: boolean;
  readonly onTick: (isTicked: boolean) => void;
  readonly children: ReactNode;
}

function Tick({ name, isOptional, isTicked, onTick, children }: TickProps) {
  const more = useId();
  return (
    <>
      <label>
        <input
          type="checkbox"
          checked={isTicked}
          aria-describedby={more}
          onChange={({ target }) => onTick(target.checked)}
        />{' '}
        <b>{name}</b>
        {isOptional && <span className="more"> (optional)</span>}
      </label>
      <span id={more} className="difference">
        {children}
      </span>
    </>
  );
}

function Difference({ manifest, variant }: { readonly manifest: Manifest; readonly variant: Variant }) {
  const changes = useMemo(
    () => describeDifference(variantDifference(manifest, variant)),
    [manifest, variant],
  );
  if (changes.length === 0) return 'as the manifest is';
  return changes.map(({ what, change }) => (
    <span key={`${what} ${change}`} className="change">
      <code>{showControls(what)}</code> <bdi dir="ltr">{showControls(change)}</bdi>
    </span>
  ));
}

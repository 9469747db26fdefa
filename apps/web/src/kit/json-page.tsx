import { useSearch } from 'wouter';
import { API } from '../session/farm-api.js';
import { useFarm } from '../session/use-farm.js';
import { showControls } from '../session/visible-text.js';
import { Answer } from './answer.js';
import { PageHead } from './page-head.js';

/** What the API answers at a path, as text: a link to the API itself could not carry the token. */
export function JsonPage({ path }: { readonly path: string }) {
  const search = useSearch();
  const whole = search === '' ? path : `${path}?${search}`;
  const answer = useFarm<unknown>(whole);
  return (
    <section className="json-page">
      <PageHead title="JSON" json={whole} aside={<code>GET {showControls(API + whole)}</code>} />
      <Answer of={answer} what="the answer">
        {(data) => (
          <pre tabIndex={0} aria-label={`Answer of ${API + whole}`}>
            {JSON.stringify(data, null, 2)}
          </pre>
        )}
      </Answer>
    </section>
  );
}

import { ago, dated, seconds } from "../core/clock";

/** How long ago; the moment itself on pointing at it. `at`: RFC 3339. */
export function Ago({ at }: { at: string | null | undefined }) {
  if (!at) return <span class="dim">–</span>;
  const moment = seconds(at);
  return (
    <time dateTime={at} title={dated(moment)}>
      {ago(moment)}
    </time>
  );
}

/** The moment itself; how long ago on pointing at it. */
export function Moment({ at }: { at: string }) {
  const moment = seconds(at);
  return (
    <time dateTime={at} title={ago(moment)}>
      {dated(moment)}
    </time>
  );
}

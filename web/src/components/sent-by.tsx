// Which requests send something, and which line of code.

import { Told } from "./text";

export function SentBy({ endpoints, caller }: { endpoints: string[]; caller: string | null | undefined }) {
  if (!endpoints.length && !caller) return <span class="dim">–</span>;
  return (
    <>
      {endpoints[0] && <Told most={80}>{endpoints[0]}</Told>}
      {endpoints.length > 1 && <span class="dim"> +{endpoints.length - 1}</span>}
      {caller && (
        <small>
          <code>
            <Told most={120}>{caller}</Told>
          </code>
        </small>
      )}
    </>
  );
}

// Lines of the application's code, innermost first: the first is shown, the others on asking.

import { t } from "../core/i18n";
import { Told } from "./text";

export function Lines({ title, of }: { title: string; of: readonly string[] }) {
  const [first, ...rest] = of;
  if (!first) return null;
  const line = (
    <>
      {title && <span class="dim">{title} </span>}
      <code>
        <Told most={160}>{first}</Told>
      </code>
    </>
  );
  if (!rest.length) return <p class="code-line">{line}</p>;
  return (
    <details class="code-line">
      <summary>
        {line} <span class="dim">+{rest.length}</span>
      </summary>
      <ol class="stack" aria-label={t("Called from")}>
        {rest.map((one) => (
          <li key={one}>
            <code>
              <Told most={200}>{one}</Told>
            </code>
          </li>
        ))}
      </ol>
    </details>
  );
}

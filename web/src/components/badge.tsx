// Statuses and severities by shape, colour and word.

import { t } from "../core/i18n";
import { capital } from "../core/words";
import { Shape, tone } from "./shape";

/** A status or severity. `quiet`: the word in ordinary ink. */
export function Badge({ of, quiet }: { of: string | null | undefined; quiet?: boolean }) {
  const kind = tone(of);
  return (
    <span class={`status ${kind}${quiet ? " quiet" : ""}`}>
      <Shape kind={kind} />
      {of ? t(capital(of)) : t("Not watched")}
    </span>
  );
}

/** A word in a frame: an environment, a state that is no status. */
export function Tag({ children, tone: kind }: { children: preact.ComponentChildren; tone?: string }) {
  return <span class={`tag ${kind ?? ""}`}>{children}</span>;
}

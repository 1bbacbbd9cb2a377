// Why something is as it is, in sentences.

import { t, worded } from "../core/i18n";
import { Told } from "./text";

export function Reasons({ of, most = 4 }: { of: readonly string[]; most?: number }) {
  if (!of.length) return null;
  return (
    <ul class="reasons">
      {of.slice(0, most).map((reason) => (
        <li key={reason}>
          <Told>{worded(reason)}</Told>
        </li>
      ))}
      {of.length > most && <li class="dim">{t("and {n} more", { n: of.length - most })}</li>}
    </ul>
  );
}

// The range of time of all charts.

import { dated } from "../core/clock";
import { t } from "../core/i18n";
import { range, setSpan, SPANS } from "../core/range";
import { duration } from "../core/units";
import { parseDuration } from "../core/words";

export function RangePicker() {
  const { live, span, from, to } = range.value;
  return (
    <div class="range">
      {!live && (
        <span class="dim">
          {dated(from, false)} – {dated(to, false).slice(dated(from, false).slice(0, 10) === dated(to, false).slice(0, 10) ? 11 : 0)}
        </span>
      )}
      <label>
        <span class="hidden">{t("Time range of the charts")}</span>
        <select value={live ? span : ""} onChange={(event) => setSpan(event.currentTarget.value)}>
          {!live && <option value="">{t("chosen range")}</option>}
          {(SPANS as readonly string[]).includes(span) || !live ? null : <option value={span}>{span}</option>}
          {SPANS.map((one) => (
            <option key={one} value={one}>
              {t("last {span}", { span: duration(parseDuration(one) ?? 0) })}
            </option>
          ))}
        </select>
      </label>
    </div>
  );
}

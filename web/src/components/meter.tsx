// How much of something is used: a bar, the figure, and where that begins to be much.

import { figure } from "../core/units";

interface Props {
  title: string;
  /** In percent; nothing: unknown. */
  value: number | null | undefined;
  /** What stands beside the figure: 12 of 15. */
  words?: string;
  /** From here on it is much, and too much. */
  marks?: [number, number];
}

export function Meter({ title, value, words, marks = [80, 90] }: Props) {
  const known = value !== null && value !== undefined && Number.isFinite(value);
  const level = value! > marks[1] ? "critical" : value! > marks[0] ? "warning" : "healthy";
  return (
    <div class="meter card">
      <p class="name">
        <bdi>{title}</bdi>
      </p>
      <p class="figure">
        {(known || !words) && <b>{figure(value, "percent")}</b>} {words && <span class="dim">{words}</span>}
      </p>
      {known && (
        <svg class={`bar ${level}`} viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true">
          <rect class="whole" width="100" height="4" />
          <rect class="part" width={Math.min(Math.max(value, 0), 100)} height="4" />
        </svg>
      )}
    </div>
  );
}

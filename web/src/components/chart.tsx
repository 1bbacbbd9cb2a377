// A chart of an expression: the worst line first, gaps as gaps, one crosshair through all charts, a range to be dragged.

import { signal } from "@preact/signals";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import type { Labels } from "../core/api";
import { annotate, alertSpans, marks, type Span } from "../core/annotations";
import { dated } from "../core/clock";
import { t } from "../core/i18n";
import { go } from "../core/location";
import { range, setRange } from "../core/range";
import { useResource } from "../core/resource";
import { fetchLines, nameLines, type Lines } from "../core/series";
import { useSight } from "../core/sight";
import { copy, csv, curl, save } from "../core/take-away";
import { figure, type Unit } from "../core/units";
import { Icon } from "./icon";
import { Fault } from "./layout";
import { Menu } from "./menu";
import type { Plot as PlotComponent } from "./plot";
import { Told } from "./text";

/** uPlot comes after the verdict is on the page. */
const plot = signal<typeof PlotComponent | null>(null);

export interface ChartProps {
  title: string;
  /** PromQL. */
  query: string;
  unit?: Unit;
  /** A line at this value. */
  threshold?: number | null;
  /** Which of the lines are shown; all without it. */
  keep?: (labels: Labels) => boolean;
  /** Shaded from top to bottom. */
  spans?: Span[];
  height?: number;
  /** How many lines are drawn, the worst first. */
  most?: number;
}

export function Chart({ title, query, unit: wanted, threshold = null, keep, spans = [], height = 170, most = 8 }: ChartProps) {
  const { box, width, seen } = useSight();
  const cursor = useMemo(() => signal<number | null>(null), []);
  useEffect(() => {
    annotate();
    if (!plot.peek()) void import("./plot").then((found) => (plot.value = found.Plot), () => undefined);
  }, []);
  const { from, to } = range.value;
  const asked = seen && width > 0;
  const drawn = useRef<Lines | null>(null); // what was seen stays when it is scrolled away
  const { data, error } = useResource<Lines | null>(
    async (abort) => (asked ? (drawn.current = await fetchLines(query, from, to, width, abort)) : drawn.current),
    [query, from, to, asked, Math.round(width / 100)],
  );
  const all = data.value;
  const unit = wanted ?? all?.unit ?? "";
  const kept = useMemo(() => (all?.lines ?? []).filter((line) => !keep || keep(line.labels)), [all]);
  const more = kept.length - most + (keep ? 0 : (all?.omitted ?? 0));
  const shown = kept.slice(0, most);
  const names = nameLines(shown);
  const known = shown.length > 0;
  const rows = (): (string | number | null)[][] => [
    ["time", ...nameLines(kept)],
    ...(all?.times ?? []).map((at, row) => [dated(at), ...kept.map((line) => line.values[row] ?? null)]),
  ];
  const here = cursor.value;
  const Plot = plot.value;
  const at = here === null ? null : (all?.times[here] ?? null);
  const reach = ((to - from) / Math.max(width, 1)) * 8;
  const near = at === null ? [] : marks.value.filter((mark) => Math.abs(mark.at - at) < reach).map((mark) => mark.text);
  return (
    <figure class="chart card">
      <figcaption>
        <h3>{title}</h3>
        {at !== null && (
          <span class="dim when">
            {dated(at, false).slice(11)} <Told most={60}>{near.join(", ")}</Told>
          </span>
        )}
        <Menu
          label={t("{title}: take away", { title })}
          quiet
          choices={[
            { text: t("Copy as PromQL"), run: () => void copy(query, "PromQL") },
            { text: t("Copy as curl"), run: () => void copy(curl("series", { query, range: `${Math.round(to - from)}s` }), "curl") },
            { text: t("Copy link"), run: () => void copy(location.href, t("link")) },
            { text: t("Save as CSV"), run: () => save(`${title}.csv`, csv(rows())) },
            { text: t("Open in Explore"), run: () => go("explore", { query }) },
          ]}
        >
          <Icon name="more" />
        </Menu>
      </figcaption>
      <div class="plot" ref={box} style={{ minHeight: `${height}px` }}>
        {known && all ? Plot && (
          <Plot
            times={all.times}
            lines={shown}
            names={names}
            unit={unit}
            threshold={threshold}
            size={[width, height]}
            span={[from, to]}
            shaded={spans}
            strips={alertSpans.value}
            moments={marks.value}
            onCursor={(at) => (cursor.value = at)}
            onZoom={setRange}
          />
        ) : (
          all && !error.value && <p class="no-data dim">{t("No data in this range.")}</p>
        )}
        {error.value && !known && <Fault error={error.value} />}
      </div>
      {known && (
        <ul class="legend">
          {shown.map((line, at) => (
            <li key={names[at]} class={`line-${at % 8}`}>
              <Told most={60}>{names[at] || title}</Told>
              <b>{figure(here === null ? line.last : line.values[here], unit)}</b>
            </li>
          ))}
          {more > 0 && <li class="rest dim">{t("and {n} more, lower", { n: more })}</li>}
        </ul>
      )}
      {known && all && <Behind title={title} lines={shown} names={names} unit={unit} />}
    </figure>
  );
}

/** The same in a table: for screen readers, and for whoever wants the figures. */
function Behind({ title, lines, names, unit }: { title: string; lines: Lines["lines"]; names: string[]; unit: Unit }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="behind" onToggle={(event) => setOpen((event.currentTarget as HTMLDetailsElement).open)}>
      <summary aria-label={t("{title} as a table", { title })}>{t("Table")}</summary>
      {open && (
        <table>
          <thead>
            <tr>
              <th scope="col">{t("Line")}</th>
              <th scope="col" class="num">{t("Least")}</th>
              <th scope="col" class="num">{t("Greatest")}</th>
              <th scope="col" class="num">{t("Last")}</th>
            </tr>
          </thead>
          <tbody>
            {lines.map((line, at) => (
              <tr key={names[at]}>
                <th scope="row">
                  <Told most={80}>{names[at] || title}</Told>
                </th>
                <td class="num">{figure(line.min, unit)}</td>
                <td class="num">{figure(line.max, unit)}</td>
                <td class="num">{figure(line.last, unit)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </details>
  );
}

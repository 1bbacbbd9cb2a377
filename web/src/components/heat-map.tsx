// A histogram through time: a column for each moment, a row for each duration, the darker the more often.

import { useMemo, useRef, useState } from "preact/hooks";
import { dated } from "../core/clock";
import { t } from "../core/i18n";
import { range } from "../core/range";
import { useResource } from "../core/resource";
import { queryRange } from "../core/promql";
import { useSight } from "../core/sight";
import { copy } from "../core/take-away";
import { figure } from "../core/units";
import { Icon } from "./icon";
import { Fault } from "./layout";
import { Menu } from "./menu";

const COLUMNS = 60;
const ROW = 11;

interface Grid {
  times: number[];
  /** Upper bounds in seconds, smallest first; the last is infinite. */
  bounds: number[];
  /** By bound, by time: how many in a second. */
  cells: (number | null)[][];
  most: number;
}

export function HeatMap({ title, metric, only }: { title: string; metric: string; only: string }) {
  const { box, width, seen } = useSight();
  const [here, setHere] = useState<[number, number] | null>(null);
  const { from, to } = range.value;
  const span = Math.max(Math.round((to - from) / COLUMNS), 15);
  const query = `sum by (le) (rate(${metric}_bucket${only}[${span}s]))`;
  const { data, error } = useResource(
    async (abort) => (seen ? { found: await queryRange(query, from, to, span, abort), from, span, columns: Math.floor((to - from) / span) + 1 } : null),
    [query, from, to, seen],
  );
  const last = useRef<Grid | null>(null); // what was seen stays when it is scrolled away
  const grid = useMemo(() => (last.current = data.value ? gridOf(data.value) : last.current), [data.value]);
  const chosen = grid && here ? grid.cells[here[1]]?.[here[0]] : undefined;
  return (
    <figure class="chart card">
      <figcaption>
        <h3>{title}</h3>
        <span class="dim when">
          {grid && here && chosen !== undefined && chosen !== null
            ? t("{time}: {rate} a second took {bound}", {
                time: dated(grid.times[here[0]]!, false).slice(11),
                rate: figure(chosen),
                bound: words(grid, here[1]),
              })
            : ""}
        </span>
        <Menu label={t("{title}: take away", { title })} quiet choices={[{ text: t("Copy as PromQL"), run: () => void copy(query, "PromQL") }]}>
          <Icon name="more" />
        </Menu>
      </figcaption>
      <div class="plot" ref={box} style={{ minHeight: "170px" }}>
        {grid && width > 0 && grid.most > 0 ? (
          <Drawn grid={grid} width={width} point={setHere} label={title} />
        ) : (
          grid && !error.value && <p class="no-data dim">{t("No data in this range.")}</p>
        )}
        {error.value && !grid && <Fault error={error.value} />}
      </div>
      {grid && grid.most > 0 && <Behind title={title} grid={grid} />}
    </figure>
  );
}

interface Found {
  found: Awaited<ReturnType<typeof queryRange>>;
  from: number;
  span: number;
  columns: number;
}

function gridOf({ found, from, span, columns }: Found): Grid {
  const times = Array.from({ length: columns }, (_, at) => from + at * span);
  const rows = found
    .map(({ metric, values }) => {
      const row: (number | null)[] = new Array(columns).fill(null);
      for (const [at, value] of values) row[Math.round((at - from) / span)] = Number(value);
      return { bound: metric.le === "+Inf" ? Infinity : Number(metric.le), values: row };
    })
    .filter((row) => !Number.isNaN(row.bound))
    .sort((a, b) => a.bound - b.bound);
  const cells = rows.map((row, at) =>
    row.values.map((value, time) => {
      const below = at === 0 ? 0 : rows[at - 1]!.values[time];
      return value === null || below === null || below === undefined ? null : Math.max(value - below, 0);
    }),
  );
  // Rows above all that ever happened would only take room.
  const top = cells.findLastIndex((row) => row.some((value) => value !== null && value > 0));
  const shown = cells.slice(0, Math.max(top + 1, 1));
  return {
    times,
    bounds: rows.slice(0, shown.length).map((row) => row.bound),
    cells: shown,
    most: Math.max(0, ...shown.flat().map((value) => value ?? 0)),
  };
}

const words = (grid: Grid, at: number): string => {
  const low = at === 0 ? 0 : grid.bounds[at - 1]!;
  const high = grid.bounds[at]!;
  return Number.isFinite(high) ? t("{low} to {high}", { low: figure(low, "seconds"), high: figure(high, "seconds") }) : t("more than {low}", { low: figure(low, "seconds") });
};

const LEFT = 52;

function Drawn({ grid, width, point, label }: { grid: Grid; width: number; point: (at: [number, number] | null) => void; label: string }) {
  const rows = grid.cells.length;
  const row = Math.max(ROW, 150 / rows);
  const height = rows * row;
  const column = (width - LEFT) / grid.times.length;
  const move = (event: PointerEvent): void => {
    const area = (event.currentTarget as SVGElement).getBoundingClientRect();
    const x = Math.floor((event.clientX - area.left - LEFT) / column);
    const y = rows - 1 - Math.floor((event.clientY - area.top) / row);
    point(x >= 0 && x < grid.times.length && y >= 0 && y < rows ? [x, y] : null);
  };
  const every = Math.ceil(16 / row);
  return (
    <svg class="heat" width={width} height={height + 16} role="img" aria-label={label} onPointerMove={move} onPointerLeave={() => point(null)}>
      {grid.cells.map((values, y) =>
        values.map((value, x) =>
          value ? (
            <rect
              key={`${x}/${y}`}
              x={LEFT + x * column}
              y={(rows - 1 - y) * row}
              width={column + 0.3}
              height={row - 1}
              // By the logarithm: one slow call among ten thousand quick ones must be seen.
              opacity={0.12 + 0.88 * (Math.log1p((99 * value) / grid.most) / Math.log(100))}
            />
          ) : null,
        ),
      )}
      {grid.bounds.map((bound, y) =>
        y % every === 0 ? (
          <text key={bound} class="axis" x={LEFT - 6} y={(rows - y) * row - row / 2 + 4} text-anchor="end">
            {Number.isFinite(bound) ? figure(bound, "seconds") : "∞"}
          </text>
        ) : null,
      )}
      {[0, 0.5, 0.98].map((share) => (
        <text key={share} class="axis" x={LEFT + share * (width - LEFT)} y={height + 13} text-anchor={share ? (share > 0.9 ? "end" : "middle") : "start"}>
          {dated(grid.times[Math.min(Math.floor(share * grid.times.length), grid.times.length - 1)]!, false).slice(11, 16)}
        </text>
      ))}
    </svg>
  );
}

/** The same in a table, summed over the range. */
function Behind({ title, grid }: { title: string; grid: Grid }) {
  return (
    <details class="behind">
      <summary aria-label={t("{title} as a table", { title })}>{t("Table")}</summary>
      <table>
        <thead>
          <tr>
            <th scope="col">{t("Took")}</th>
            <th scope="col" class="num">{t("In a second, at most")}</th>
          </tr>
        </thead>
        <tbody>
          {grid.cells.map((values, at) => (
            <tr key={at}>
              <th scope="row">{words(grid, at)}</th>
              <td class="num">{figure(Math.max(...values.map((value) => value ?? 0)))}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}

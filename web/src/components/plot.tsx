// The drawing itself, by uPlot: everything that touches the canvas is here.

import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import type { Mark, Span } from "../core/annotations";
import { dated } from "../core/clock";
import { theme, zone } from "../core/preferences";
import type { Line } from "../core/series";
import { figure, type Unit } from "../core/units";

interface Props {
  times: number[];
  lines: Line[];
  names: string[];
  unit: Unit;
  threshold: number | null;
  size: [number, number];
  /** The range that is shown, in Unix seconds; wider than the data where that has gaps. */
  span: [number, number];
  shaded: Span[];
  strips: Span[];
  moments: Mark[];
  onCursor: (at: number | null) => void;
  onZoom: (from: number, to: number) => void;
}

const SYNC = uPlot.sync("dozor");
const STRIP = 3;

export function Plot(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const latest = useRef(props);
  const plot = useRef<uPlot | null>(null);
  latest.current = props;
  const named = props.names.join("\n");
  // Drawn anew when colours or the zone of time change: canvas does not inherit them.
  useEffect(() => {
    const draw = (): void => {
      plot.current?.destroy();
      // Colours may change when the chart has just gone and this has not been told.
      plot.current = box.current && new uPlot(options(latest), columns(latest.current), box.current);
    };
    draw();
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", draw);
    return () => {
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [named, props.unit, theme.value, zone.value]);
  useEffect(() => plot.current?.setSize({ width: props.size[0], height: props.size[1] }), [...props.size]);
  useEffect(() => {
    plot.current?.setData(columns(props));
  }, [props.times, props.shaded, props.strips, props.moments, ...props.span]);
  return <div ref={box} aria-hidden="true" />;
}

/** Steps between bytes that are round in KiB and MiB. */
const POWERS = Array.from({ length: 50 }, (_, at) => 2 ** at);

const columns = ({ times, lines }: Props): uPlot.AlignedData => [times, ...lines.map((line) => line.values)];

function ink(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() || "#888";
}

function options(latest: { current: Props }): uPlot.Options {
  const { unit, size, names, threshold } = latest.current;
  const font = `11px ${getComputedStyle(document.body).fontFamily}`;
  const axis = { stroke: ink("dim"), font, ticks: { show: false }, grid: { stroke: ink("rule"), width: 1 } };
  return {
    width: size[0],
    height: size[1],
    padding: [8, 18, 0, 0],
    legend: { show: false },
    cursor: {
      sync: { key: SYNC.key, setSeries: false },
      drag: { x: true, y: false, setScale: false },
      points: { size: 7 },
    },
    scales: {
      x: { time: true, range: () => latest.current.span },
      y: { range: (_, low, high) => bounds(low, high, unit, threshold) },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 70, size: 26, values: (_, at, __, ___, step) => at.map((one) => clockFace(one, step)) },
      { ...axis, size: 58, space: 34, values: (_, at) => at.map((one) => figure(one, unit)), ...(unit === "bytes" ? { incrs: POWERS } : {}) },
    ],
    series: [
      {},
      ...names.map((_, at) => ({
        stroke: ink(`line-${at % 8}`),
        width: 1.5,
        ...(names.length === 1 ? { fill: ink("line-0-wash") } : {}),
        spanGaps: false,
        points: { size: 4 },
      })),
    ],
    hooks: {
      drawClear: [(plot) => drawBehind(plot, latest.current)],
      draw: [(plot) => drawInFront(plot, latest.current)],
      setCursor: [(plot) => latest.current.onCursor(plot.cursor.idx ?? null)],
      setSelect: [
        (plot) => {
          const { left, width } = plot.select;
          // The other charts are told of the same drag; the one under the pointer speaks for all.
          if (width > 4 && plot.root.matches(":hover"))
            latest.current.onZoom(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
          if (width > 0) plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        },
      ],
    },
  };
}

function bounds(low: number | null, high: number | null, unit: Unit, threshold: number | null): [number, number] {
  const least = Math.min(0, low ?? 0, threshold ?? 0);
  const most = Math.max(high ?? 0, (threshold ?? 0) * 1.05);
  if (unit === "percent" && most <= 100 && least >= 0) return [0, 100];
  return [least, most > least ? most + (most - least) * 0.08 : least + 1];
}

function clockFace(at: number, step: number): string {
  const said = dated(at, false);
  return step >= 86400 ? said.slice(5, 10) : step >= 60 ? said.slice(11, 16) : said.slice(11);
}

/** Shaded spans, and thin strips along the top for all that fired meanwhile. */
function drawBehind(plot: uPlot, { shaded, strips }: Props): void {
  const { ctx, bbox } = plot;
  const strip = STRIP * devicePixelRatio;
  ctx.save();
  for (const [spans, height, alpha] of [
    [shaded, bbox.height, 0.14],
    [strips, strip, 0.75],
  ] as const)
    for (const one of spans) {
      const left = Math.max(plot.valToPos(one.from, "x", true), bbox.left);
      const right = Math.min(Number.isFinite(one.to) ? plot.valToPos(one.to, "x", true) : Infinity, bbox.left + bbox.width);
      if (right < left) continue;
      ctx.globalAlpha = alpha;
      ctx.fillStyle = ink(one.tone === "info" ? "unknown" : one.tone === "warning" ? "warning-fill" : "critical");
      ctx.fillRect(left, bbox.top, Math.max(right - left, 2), height);
    }
  ctx.restore();
}

/** The threshold, and the moments at which a process started. */
function drawInFront(plot: uPlot, { threshold, moments }: Props): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.lineWidth = devicePixelRatio;
  const stroke = (from: [number, number], to: [number, number], colour: string, dash: number[]): void => {
    ctx.strokeStyle = colour;
    ctx.setLineDash(dash.map((one) => one * devicePixelRatio));
    ctx.beginPath();
    ctx.moveTo(...from);
    ctx.lineTo(...to);
    ctx.stroke();
  };
  if (threshold !== null) {
    const y = Math.round(plot.valToPos(threshold, "y", true));
    stroke([bbox.left, y], [bbox.left + bbox.width, y], ink("critical"), [5, 4]);
  }
  for (const { at } of moments) {
    const x = Math.round(plot.valToPos(at, "x", true));
    if (x > bbox.left && x < bbox.left + bbox.width) stroke([x, bbox.top], [x, bbox.top + bbox.height], ink("link"), [2, 3]);
  }
  ctx.restore();
}

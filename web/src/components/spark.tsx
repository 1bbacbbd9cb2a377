// The course of a figure in a small space, with gaps where nothing is known.

import type { SparklineData } from "../core/api";
import { t } from "../core/i18n";
import { figure } from "../core/units";

const WIDTH = 120;
const HEIGHT = 28;

export function Spark({ of }: { of: SparklineData | undefined }) {
  const known = of?.points.map(([, value]) => value).filter((value) => value !== null && value !== undefined) ?? [];
  if (!of || known.length < 2) return <span class="spark none" />;
  const top = of.unit === "percent" ? 100 : Math.max(Math.max(...known) * 1.1, 1e-9);
  const step = WIDTH / Math.max(of.points.length - 1, 1);
  const runs: string[][] = [[]];
  of.points.forEach(([, value], at) => {
    if (value === null || value === undefined) runs.push([]);
    else {
      const y = HEIGHT - 1 - (HEIGHT - 3) * Math.min(Math.max(value / top, 0), 1);
      runs.at(-1)!.push(`${(at * step).toFixed(1)} ${y.toFixed(1)}`);
    }
  });
  const drawn = runs.filter((run) => run.length > 1);
  const say = (value: number): string => figure(value, of.unit);
  const label = t("{title}, last 15 minutes: from {low} to {high}, now {last}", {
    title: t(of.title),
    low: say(Math.min(...known)),
    high: say(Math.max(...known)),
    last: say(known.at(-1)!),
  });
  return (
    <svg class="spark" viewBox={`0 0 ${WIDTH} ${HEIGHT}`} preserveAspectRatio="none" role="img" aria-label={label}>
      {drawn.map((run) => (
        <path class="area" d={`M${run[0]!.split(" ")[0]} ${HEIGHT}L${run.join("L")}L${run.at(-1)!.split(" ")[0]} ${HEIGHT}z`} />
      ))}
      {drawn.map((run) => (
        <path class="course" d={`M${run.join("L")}`} />
      ))}
    </svg>
  );
}

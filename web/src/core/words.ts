// Small readings of text: durations, matchers, names.

const UNITS: Record<string, number> = { ms: 0.001, s: 1, m: 60, h: 3600, d: 86400, w: 604800, y: 31536000 };

/** A Prometheus duration (1h30m) in seconds; null where it is none. */
export function parseDuration(text: string): number | null {
  const said = text.trim();
  if (!/^(\d+(ms|[smhdwy]))+$/.test(said)) return null;
  let seconds = 0;
  for (const [, number, unit] of said.matchAll(/(\d+)(ms|[smhdwy])/g)) seconds += Number(number) * UNITS[unit!]!;
  return seconds;
}

/** The matchers that a line holds, at commas outside of quotes and perhaps in braces: `{pool="main", severity=~"info|x"}`. */
export function splitMatchers(text: string): string[] {
  const found: string[] = [];
  let one = "";
  let quoted = false;
  for (let at = 0; at < text.length; at++) {
    const sign = text[at]!;
    if (quoted && sign === "\\") one += sign + (text[++at] ?? "");
    else if ((sign === "," || sign === "\n") && !quoted) {
      found.push(one);
      one = "";
    } else {
      if (sign === '"') quoted = !quoted;
      if (quoted || !"{}".includes(sign) || sign === '"') one += sign;
    }
  }
  return [...found, one].map((matcher) => matcher.trim()).filter(Boolean);
}

/** A matcher for one value, in Alertmanager's notation. */
export const matcher = (name: string, value: string): string => `${name}=${JSON.stringify(value)}`;

/** At most `most` characters. */
export const cut = (text: string, most: number): string => (text.length > most ? `${text.slice(0, most - 1)}…` : text);

/** held_seconds: Held seconds. */
export function titled(name: string): string {
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}

export const capital = (word: string): string => word.charAt(0).toUpperCase() + word.slice(1).toLowerCase();

// What of a rule can be drawn.

interface Asked {
  expr: string;
  threshold: string | null;
}

/** What the rule compares with its threshold, where that stands at the end of its expression; else all of it. */
export function charted(rule: Asked): { query: string; threshold: number | null } {
  const expr = rule.expr.trim();
  const limit = rule.threshold?.trim() ?? "";
  const number = Number(limit.replace(/^[<>=!]+\s*/, ""));
  const end = expr.match(/^(.*?)\s*([<>]=?|==|!=)\s*(-?[\d.e]+)$/s);
  const whole = end && !/\b(and|or|unless)\b/.test(end[1]!);
  return whole && limit && Number.isFinite(number) ? { query: end[1]!, threshold: number } : { query: expr, threshold: null };
}

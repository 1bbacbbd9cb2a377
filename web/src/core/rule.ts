// What of a rule can be drawn.

interface Asked {
  expr: string;
  threshold: string | null;
}

/** What the rule compares with its threshold, where that stands at the end of its expression or before an `and`; else all of it. */
export function charted(rule: Asked): { query: string; threshold: number | null } {
  const expr = rule.expr.trim();
  const limit = rule.threshold?.trim() ?? "";
  const number = Number(limit.replace(/^[<>=!]+\s*/, ""));
  const end = expr.split(/\s(?:and|unless)\s/)[0]!.match(/^(.*?)\s*([<>]=?|==|!=)\s*(-?[\d.e]+)$/s);
  const whole = end && Number(end[3]) === number && !/\bor\b/.test(end[1]!) && end[1]!.split("(").length === end[1]!.split(")").length;
  return whole && limit && Number.isFinite(number) ? { query: end[1]!, threshold: number } : { query: expr, threshold: null };
}

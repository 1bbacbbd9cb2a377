// A line of PromQL that knows the names of metrics, labels and functions.

import { useMemo, useRef, useState } from "preact/hooks";
import { labelNames, labelValues, metricNames } from "../core/promql";
import { t } from "../core/i18n";
import { useResource } from "../core/resource";

const FUNCTIONS = (
  "abs absent absent_over_time avg avg_over_time bottomk ceil changes clamp clamp_max clamp_min count count_over_time count_values day_of_week " +
  "days_in_month delta deriv exp floor histogram_quantile hour idelta increase irate label_join label_replace last_over_time ln log10 log2 max " +
  "max_over_time min min_over_time minute month predict_linear quantile quantile_over_time rate resets round scalar sort sort_desc sqrt stddev " +
  "sum sum_over_time time timestamp topk vector year by without on ignoring group_left group_right offset bool"
).split(" ");
const MOST = 12;

interface Place {
  /** Where the word begins and ends that is being written. */
  from: number;
  to: number;
  word: string;
  /** The metric whose labels are being written, and the label whose values are. */
  metric: string | null;
  label: string | null;
}

/** What is being written at `at`: a name, a label within braces, or a label's value within quotes. */
export function placeAt(text: string, at: number): Place {
  const before = text.slice(0, at);
  const open = before.lastIndexOf("{");
  const inside = open > before.lastIndexOf("}");
  const metric = inside ? (/([a-zA-Z_:][\w:]*)\s*$/.exec(before.slice(0, open))?.[1] ?? "") : null;
  const value = inside ? /(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)$/.exec(before.slice(open)) : null;
  const word = value ? value[2]! : (/[a-zA-Z_:][\w:]*$/.exec(before)?.[0] ?? "");
  const rest = value ? /^[^"]*/.exec(text.slice(at))![0] : (/^[\w:]*/.exec(text.slice(at))?.[0] ?? "");
  return { from: at - word.length, to: at + rest.length, word, metric, label: value ? value[1]! : null };
}

export function PromqlInput({ value, change, run }: { value: string; change: (text: string) => void; run: (text: string) => void }) {
  const box = useRef<HTMLTextAreaElement>(null);
  const [at, setAt] = useState(-1);
  const [chosen, setChosen] = useState(0);
  const place = at < 0 ? null : placeAt(value, at);
  const metrics = useResource((signal) => metricNames(signal), [], 60);
  const inside = useResource(
    async (signal) => (place?.metric == null ? null : place.label ? labelValues(place.label, place.metric, signal) : labelNames(place.metric, signal)),
    [place?.metric, place?.label],
  );
  const found = useMemo(() => {
    if (!place || (!place.word && place.metric === null)) return [];
    const all = place.metric === null ? [...(metrics.data.value ?? []), ...FUNCTIONS] : (inside.data.value ?? []);
    const word = place.word.toLowerCase();
    const good = all.filter((one) => one.toLowerCase().includes(word) && one !== place.word);
    return good.sort((a, b) => Number(b.toLowerCase().startsWith(word)) - Number(a.toLowerCase().startsWith(word))).slice(0, MOST);
  }, [place?.word, place?.metric, place?.label, metrics.data.value, inside.data.value]);
  const take = (word: string): void => {
    if (!place) return;
    const next = value.slice(0, place.from) + word + value.slice(place.to);
    change(next);
    setAt(-1);
    requestAnimationFrame(() => {
      box.current?.focus();
      box.current?.setSelectionRange(place.from + word.length, place.from + word.length);
    });
  };
  const key = (event: KeyboardEvent): void => {
    if (found.length && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      event.preventDefault();
      setChosen((chosen + (event.key === "ArrowDown" ? 1 : found.length - 1)) % found.length);
    } else if (found.length && event.key === "Tab" && !event.shiftKey) {
      event.preventDefault();
      take(found[Math.min(chosen, found.length - 1)]!);
    } else if (event.key === "Escape") setAt(-1);
    else if (event.key === "Enter" && !event.shiftKey) {
      event.preventDefault();
      setAt(-1);
      run(value);
    }
  };
  const look = (): void => {
    setAt(box.current?.selectionStart ?? -1);
    setChosen(0);
  };
  const open = found.length > 0;
  return (
    <div class="promql">
      <textarea
        ref={box}
        class="code"
        rows={Math.min(Math.max(value.split("\n").length, 1), 8)}
        spellcheck={false}
        autocapitalize="off"
        aria-label="PromQL"
        aria-controls="promql-words"
        aria-autocomplete="list"
        aria-activedescendant={open ? `promql-${Math.min(chosen, found.length - 1)}` : undefined}
        placeholder={t("An expression, such as rate(http_requests_total[5m])")}
        value={value}
        onInput={(event) => {
          change(event.currentTarget.value);
          look();
        }}
        onKeyDown={key}
        onBlur={() => setTimeout(() => setAt(-1), 150)}
      />
      <ul id="promql-words" role="listbox" aria-label={t("Names that fit")} hidden={!open}>
        {found.map((word, place) => (
          <li key={word} id={`promql-${place}`} role="option" aria-selected={place === chosen} onPointerDown={() => take(word)}>
            <bdi>{word}</bdi>
          </li>
        ))}
      </ul>
      <p class="dim hint">{t("Tab takes a name, Enter asks, Shift and Enter begin a new line.")}</p>
    </div>
  );
}

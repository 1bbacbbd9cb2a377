// English stands in the sources and is its own key; other languages are dictionaries, loaded when they are wanted.

import { computed, effect, signal } from "@preact/signals";
import russian from "../ru.json?url";
import { language } from "./preferences";

type Dictionary = Record<string, string>;

const dictionary = signal<Dictionary>({});

export const locale = computed<"en" | "ru">(() => {
  if (language.value !== "auto") return language.value;
  return /^ru\b/i.test(navigator.language) ? "ru" : "en";
});

effect(() => {
  const wanted = locale.value;
  document.documentElement.lang = wanted;
  if (wanted === "en") dictionary.value = {};
  else
    void fetch(new URL(russian, import.meta.url))
      .then((answer) => answer.json() as Promise<Dictionary>)
      .then((found) => {
        if (locale.peek() === wanted) dictionary.value = found;
      }, console.warn);
});

type Filling = Record<string, string | number>;

/** `text` in the language in force, `{name}` filled from `filling`. */
export function t(text: string, filling?: Filling): string {
  return fill(dictionary.value[text] ?? text, filling);
}

/** As `t`, by number: `tn(2, "{n} alert|{n} alerts")`. Russian has three forms. */
export function tn(n: number, forms: string, filling?: Filling): string {
  const said = dictionary.value[forms];
  const [one = "", few = one, many = few] = (said ?? forms).split("|");
  const rule = new Intl.PluralRules(said ? locale.value : "en").select(n);
  const form = rule === "one" ? one : rule === "few" || !said ? few : many;
  return fill(form, { n: n.toLocaleString(locale.value), ...filling });
}

function fill(text: string, filling?: Filling): string {
  return filling ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(filling[name] ?? whole)) : text;
}

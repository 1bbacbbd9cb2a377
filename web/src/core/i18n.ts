// English stands in the sources and is its own key; other languages are dictionaries, loaded when they are wanted.

import { computed, effect, signal, type Signal } from "@preact/signals";
import russian from "../ru.json?url";
import server from "../ru-server.json?url";
import { language } from "./preferences";

type Dictionary = Record<string, string>;

const dictionary = signal<Dictionary>({});
const sentences = signal<Record<string, Dictionary>>({});

export const locale = computed<"en" | "ru">(() => {
  if (language.value !== "auto") return language.value;
  return /^ru\b/i.test(navigator.language) ? "ru" : "en";
});

effect(() => {
  const wanted = locale.value;
  document.documentElement.lang = wanted;
  dictionary.value = sentences.value = {};
  if (wanted !== "en") {
    load(russian, dictionary);
    load(server, sentences);
  }
});

function load<T>(file: string, into: Signal<T>): void {
  const wanted = locale.peek();
  void fetch(new URL(file, import.meta.url))
    .then((answer) => answer.json() as Promise<T>)
    .then((found) => {
      if (locale.peek() === wanted) into.value = found;
    }, console.warn);
}

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

// -- what the server says ---------------------------------------------------------------------------------------------

type Pattern = readonly [RegExp, string];

/** Sentences of the server as patterns, `{1}` anything but the end of a sentence; those that say most come first. */
const patterns = (known: Dictionary): Pattern[] =>
  Object.entries(known)
    .sort(([a], [b]) => letters(b) - letters(a))
    .map(([english, other]) => [new RegExp(`^${english.replace(/[.*+?^$()[\]\\|]/g, "\\$&").replace(PLACE, "((?:(?![.?!] [a-z]).)*?)")}$`, "is"), other]);

const PLACE = /\{(\d)([rs]?)\}/g;
const letters = (pattern: string): number => pattern.replace(PLACE, "").length;
const ofRules = computed(() => patterns(sentences.value.rules ?? {}));
const ofAll = computed(() => Object.values(sentences.value).flatMap(patterns));

/**
 * What the server worded in English, in the language in force; what fits none of its sentences stays as it is. `rule`: it may be
 * somebody's own, so only what the default rules say is known.
 */
export const worded = (text: string, rule?: "rule"): string => inWords(text, rule ? ofRules.value : ofAll.value);

/** Of what is filled in, `{1}` is a name or a duration, `{1s}` words of the server's, `{1r}` those of a rule. */
function inWords(text: string, known: Pattern[]): string {
  if (/^\d[\d., dhmins]*$/.test(text)) return text.replace(/[a-z]+/g, (unit) => t(unit)); // 2 min 5 s
  if (!known.length || text.length > 2000) return text;
  const bare = text.replace(/[.;]$/, "");
  for (const [pattern, other] of known) {
    const found = pattern.exec(bare);
    if (!found) continue;
    const filled = other.replace(PLACE, (_, n: string, kind: string) => inWords(found[Number(n)] ?? "", kind === "r" ? ofRules.value : kind ? ofAll.value : []));
    return (/^[A-Z]/.test(text) ? filled.charAt(0).toUpperCase() + filled.slice(1) : filled) + text.slice(bare.length);
  }
  const parts = text.split(/(?<=[.?!;]) (?=\S)/);
  return parts.length > 1 ? parts.map((part) => inWords(part, known)).join(" ") : text;
}

function fill(text: string, filling?: Filling): string {
  return filling ? text.replace(/\{(\w+)\}/g, (whole, name: string) => String(filling[name] ?? whole)) : text;
}

// What this browser remembers. Storage may be forbidden or full: then nothing is remembered, and all works.

import { effect, signal, type Signal } from "@preact/signals";

export function read(key: string, kind: Storage = localStorage): string | null {
  try {
    return kind.getItem(`dozor-${key}`);
  } catch {
    return null;
  }
}

export function write(key: string, value: string | null, kind: Storage = localStorage): void {
  try {
    if (value === null) kind.removeItem(`dozor-${key}`);
    else kind.setItem(`dozor-${key}`, value);
  } catch {
    // not remembered
  }
}

/** A signal that outlives the page; a value that is not among `choices` is forgotten. */
export function remembered<T extends string>(key: string, standard: T, choices?: readonly T[]): Signal<T> {
  const found = read(key) as T | null;
  const kept = signal<T>(found !== null && (!choices || choices.includes(found)) ? found : standard);
  effect(() => write(key, kept.value === standard ? null : kept.value));
  return kept;
}

// What Dozor never asks of a library is cut out of it at build, where no bundler sees by itself that it cannot be reached. Each text must
// be found: a library that looks different fails the build instead of the page.

import type { Plugin } from "vite";

/** What is found, and what stands there instead. */
export type Edit = [found: string, becomes: string];

/** The same instead of each. */
export const all = (becomes: string, ...found: string[]): Edit[] => found.map((one) => [one, becomes]);

/** Makes the `edits` in the `file` of a library, after what `first` does with it. */
export function trimming(file: string, edits: Edit[], first = (code: string): string => code): Plugin {
  return {
    name: `trim ${file}`,
    transform(code, id) {
      if (!id.endsWith(file)) return null;
      let kept = first(code);
      for (const [found, becomes] of edits) {
        if (!kept.includes(found)) throw new Error(`${file} has changed: look at its edits anew, ${JSON.stringify(found)} is not there`);
        kept = kept.replaceAll(found, becomes);
      }
      return { code: kept, map: null };
    },
  };
}

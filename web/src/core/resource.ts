// Something asked of the API: the last good answer stays while a new one is under way, or fails.

import { signal, type Signal } from "@preact/signals";
import { useEffect, useMemo } from "preact/hooks";
import { ApiError, keyWanted } from "./api";
import { hidden } from "./clock";

const AGAIN_SECONDS = 4; // after no answer, or one that said that Dozor cannot now

export interface Resource<T> {
  data: Signal<T | null>;
  error: Signal<ApiError | null>;
  /** Ask again now. */
  reload: () => void;
}

/** Ask `load` now, whenever one of `depends` changes, and each `everySeconds` while somebody looks. */
export function useResource<T>(load: (abort: AbortSignal) => Promise<T>, depends: unknown[], everySeconds = 0): Resource<T> {
  const held = useMemo(() => ({ data: signal<T | null>(null), error: signal<ApiError | null>(null), reload: () => {} }), []);
  useEffect(() => {
    let abort = new AbortController();
    let timer = 0;
    const ask = async (): Promise<void> => {
      clearTimeout(timer);
      abort.abort();
      const mine = (abort = new AbortController());
      try {
        if (!keyWanted.peek()) {
          const found = await load(mine.signal);
          if (mine.signal.aborted) return;
          held.data.value = found;
          held.error.value = null;
        }
      } catch (error) {
        if (mine.signal.aborted) return;
        held.error.value = error instanceof ApiError ? error : new ApiError(0, String(error));
      }
      const status = held.error.peek()?.status;
      const next = status === 0 || (status ?? 0) >= 500 ? AGAIN_SECONDS : everySeconds;
      if (next && !hidden.peek()) timer = window.setTimeout(ask, next * 1000);
    };
    held.reload = () => void ask();
    void ask();
    let subscribed = false; // subscribing calls at once
    const again = (): void => {
      if (subscribed && !hidden.peek()) void ask();
    };
    const stop = [hidden.subscribe(again), keyWanted.subscribe(again)];
    subscribed = true;
    return () => {
      abort.abort();
      clearTimeout(timer);
      for (const end of stop) end();
    };
  }, depends);
  return held;
}

// The overview as it is now. Everything that is live hangs on this; when nobody looks it rests.

import { computed, effect, signal } from "@preact/signals";
import { ApiError, get, keyWanted, type Overview } from "./api";
import { hidden, now, setServerTime } from "./clock";
import { told } from "./preferences";

const PERIOD_MS = 2000;
const PERIOD_HIDDEN_MS = 20_000;
const STALE_SECONDS = 12;

/** What is known now; null before the first answer. */
export const overview = signal<Overview | null>(null);

/** Why there is no answer now; null while there is. */
export const trouble = signal<ApiError | null>(null);

/** When Dozor was last heard, on this browser's clock in seconds. */
const heardAt = signal(0);
const resting = signal(false);

export type Link = "connecting" | "live" | "late" | "lost" | "resting";

/** How fresh is what the page shows. */
export const linkState = computed<Link>(() => {
  if (resting.value) return "resting";
  if (trouble.value && trouble.value.status !== 401) return "lost";
  if (overview.value === null) return "connecting";
  void now.value;
  return Date.now() / 1000 - heardAt.value > STALE_SECONDS ? "late" : "live";
});

/** How old what is shown is, in seconds. */
export const age = computed(() => {
  void now.value;
  return Math.max(0, Date.now() / 1000 - heardAt.value);
});

let wake = (): void => undefined;

/** Look again at once: something was done. */
export const refresh = (): void => wake();

function heard(found: Overview): void {
  setServerTime(found.generated_at);
  heardAt.value = Date.now() / 1000;
  trouble.value = null;
  overview.value = found;
}

async function look(): Promise<void> {
  try {
    heard(await get("dashboard/overview"));
  } catch (error) {
    trouble.value = error instanceof ApiError ? error : new ApiError(0, String(error));
  }
}

const pause = (milliseconds: number): Promise<void> =>
  new Promise((done) => {
    const timer = setTimeout(done, milliseconds);
    wake = () => {
      clearTimeout(timer);
      done();
    };
  });

/** Follow Dozor from now on. */
export async function follow(): Promise<never> {
  effect(() => {
    if (!hidden.value && !keyWanted.value) wake();
  });
  for (;;) {
    resting.value = hidden.value && told.value === "no";
    if (!resting.value && !keyWanted.value) await look();
    const waits = trouble.value ? Math.min(PERIOD_MS * 2, 5000) : hidden.value ? PERIOD_HIDDEN_MS : PERIOD_MS;
    await pause(resting.value || keyWanted.value ? 3_600_000 : waits);
  }
}

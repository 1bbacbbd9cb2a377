// The overview as it is now, kept up to date by a stream. Everything that is live hangs on this; when nobody looks it rests.

import { computed, effect, signal } from "@preact/signals";
import { ApiError, get, keyWanted, type Alert, type LiveOverview, type Overview } from "./api";
import { hidden, now, serverNow, setServerTime } from "./clock";
import { told } from "./preferences";
import { merged, readStream } from "./stream";

const AGAIN_MS = 1500;
const POLL_MS = 2000;
const STALE_SECONDS = 12;

/** What is known now; null before the first answer. */
export const overview = signal<Overview | null>(null);

/** Why there is no answer now; null while there is. */
export const trouble = signal<ApiError | null>(null);

/** Counts what has happened (an alert fired, somebody acted, a deploy), for lists to be asked for anew. */
export const happened = signal(0);

/** When something new was last heard, by the server's time in seconds. */
const heardAt = signal(0);
const resting = signal(false);

/** How old what is shown is, in seconds. */
export const age = computed(() => Math.max(0, now.value - heardAt.value));

export type Link = "connecting" | "live" | "late" | "lost" | "resting";

/** How fresh is what the page shows. */
export const linkState = computed<Link>(() => {
  if (resting.value) return "resting";
  if (trouble.value && trouble.value.status !== 401) return "lost";
  if (overview.value === null) return "connecting";
  return age.value > STALE_SECONDS ? "late" : "live";
});

let wake = (): void => undefined;

/** Look again at once: something was done, or somebody wants it. */
export const refresh = (): void => {
  wake();
  happened.value++;
};

function heard(found: Overview): void {
  setServerTime(found.generated_at);
  heardAt.value = serverNow();
  trouble.value = null;
  overview.value = found;
}

async function poll(): Promise<void> {
  try {
    heard(await get("dashboard/overview"));
  } catch (error) {
    failed(error);
  }
}

function failed(error: unknown): void {
  trouble.value = error instanceof ApiError ? error : new ApiError(0, String(error));
}

// -- the stream's document, as an overview ---------------------------------------------------------------------------

const NOTHING = {
  value: null,
  threshold: null,
  fired_at: null,
  resolved_at: null,
  resolve_reason: null,
  acknowledged: null,
  silenced: null,
  evidence: {},
};

function fromLive(live: LiveOverview): Overview {
  const whole = { checked_at: live.checked_at ?? null, age_seconds: null };
  const alerts = live.alert_order.flatMap((id) => (live.alerts[id] ? [{ ...NOTHING, ...live.alerts[id] } as Alert] : []));
  const components = Object.entries(live.components).map(([name, one]) => [name, { ...one, status: one.status ?? null }]);
  return {
    ...live,
    environment: live.environment ?? null,
    started_at: live.started_at ?? null,
    components: Object.fromEntries(components) as Overview["components"],
    alerts,
    pools: Object.values(live.pools).map((pool) => ({ ...whole, ...pool, worker: pool.worker ?? null })) as Overview["pools"],
    servers: Object.values(live.servers).map((server) => ({ ...whole, ...server })) as Overview["servers"],
    sparklines: Object.fromEntries(Object.entries(live.sparklines).map(([key, lines]) => [key, Object.values(lines)])),
  };
}

// -- following -------------------------------------------------------------------------------------------------------

let document: LiveOverview | null = null;

async function followStream(abort: AbortSignal): Promise<void> {
  await readStream(
    "stream",
    ({ event, data }) => {
      if (event === "changes") happened.value++;
      if (event === "overview") document = JSON.parse(data) as LiveOverview;
      else if (event === "patch" && document) document = merged(document, JSON.parse(data)) as LiveOverview;
      else return;
      heard(fromLive(document));
    },
    abort,
  );
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
  let abort = new AbortController();
  effect(() => {
    resting.value = hidden.value && told.value === "no";
    if (resting.value || keyWanted.value) abort.abort();
    else wake();
  });
  addEventListener("offline", () => {
    abort.abort();
    failed(new ApiError(0, "This browser is offline."));
  });
  addEventListener("online", () => wake());
  for (;;) {
    if (resting.value || keyWanted.value) {
      await pause(3_600_000);
      continue;
    }
    abort = new AbortController();
    try {
      await followStream(abort.signal);
      await pause(50); // it has ended, as each does after ten minutes
    } catch (error) {
      if (abort.signal.aborted) continue;
      const refused = error instanceof ApiError && error.status !== 0 && error.status !== 401;
      // Too many streams, or a proxy that lets none through: ask every two seconds instead.
      if (refused) await poll();
      else failed(error instanceof ApiError ? error : new ApiError(0, "Dozor does not answer."));
      await pause(refused ? POLL_MS : AGAIN_MS);
    }
  }
}

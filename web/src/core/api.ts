// Dozor's API, typed from its own description of it.

import { signal } from "@preact/signals";
import type { components, paths } from "../../generated/schema";
import { apiRoot } from "./env";
import { worded } from "./i18n";
import { read, write } from "./storage";

type Schemas = components["schemas"];
export type Alert = Schemas["AlertModel"];
export type AlertDetail = Schemas["AlertAnswer"];
export type Overview = Schemas["OverviewAnswer"];
export type LiveOverview = Schemas["LiveOverview"];
export type Rule = Schemas["RuleModel"];
export type RuleExplanation = Schemas["RuleExplanationModel"];
export type Silence = Schemas["SilenceModel"];
export type SparklineData = Schemas["SparklineModel"];
export type Severity = Alert["severity"];
export type State = Alert["state"];

type Prefix = "/api/v1/monitoring/";
type Method = "get" | "post" | "put" | "delete";
type Operation<P extends string, M extends Method> = `${Prefix}${P}` extends keyof paths
  ? paths[`${Prefix}${P}`][M]
  : never;
type PathOf<M extends Method> = {
  [K in keyof paths]: K extends `${Prefix}${infer P}` ? (paths[K][M] extends { responses: object } ? P : never) : never;
}[keyof paths];
type Json<R> = R extends { content: { "application/json": infer T } } ? T : never;
type Answer<O> = O extends { responses: infer R }
  ? R extends { 200: infer Good }
    ? Json<Good>
    : R extends { 201: infer Made }
      ? Json<Made>
      : never
  : never;
type Query<O> = O extends { parameters: { query?: infer Q } } ? NonNullable<Q> : Record<string, never>;
type Params<O> = O extends { parameters: { path: infer P } } ? P : Record<string, never>;
type Body<O> = O extends { requestBody?: { content: { "application/json": infer B } } } ? B : undefined;

interface Options<O> {
  query?: Query<O>;
  path?: Params<O>;
  body?: Body<O>;
  signal?: AbortSignal;
  keepalive?: boolean;
}

/** What the API refuses, in words; status 0: it did not answer at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    message: string,
  ) {
    super(message);
  }
}

const key = signal(read("key", sessionStorage));

/** Whether the API wants a key that it was not shown. */
export const keyWanted = signal(false);

/** Show this key from now on; it is forgotten when the browser's tab is closed. */
export function showKey(value: string | null): void {
  key.value = value;
  write("key", value, sessionStorage);
  keyWanted.value = false;
}

/** Whether Dozor takes this key. Raises ApiError where it does not answer. */
export async function isKey(value: string): Promise<boolean> {
  try {
    return (await fetch(address("system/health"), { headers: { "X-API-Key": value }, cache: "no-store" })).status !== 401;
  } catch {
    throw new ApiError(0, "Dozor does not answer.");
  }
}

export const hasKey = (): boolean => key.value !== null;

/** Headers with which Dozor lets a request pass. */
export function credentials(): Record<string, string> {
  return key.peek() === null ? {} : { "X-API-Key": key.peek()! };
}

export function get<P extends PathOf<"get"> & string>(path: P, options: Options<Operation<P, "get">> = {}) {
  return send<Answer<Operation<P, "get">>>("GET", path, options as Options<unknown>);
}

export function post<P extends PathOf<"post"> & string>(path: P, options: Options<Operation<P, "post">> = {}) {
  return send<Answer<Operation<P, "post">>>("POST", path, options as Options<unknown>);
}

export function put<P extends PathOf<"put"> & string>(path: P, options: Options<Operation<P, "put">> = {}) {
  return send<Answer<Operation<P, "put">>>("PUT", path, options as Options<unknown>);
}

export function del<P extends PathOf<"delete"> & string>(path: P, options: Options<Operation<P, "delete">> = {}) {
  return send<Answer<Operation<P, "delete">>>("DELETE", path, options as Options<unknown>);
}

/** The address of `path`, for requests and for people to copy. */
export function address(path: string, query: Record<string, unknown> = {}): URL {
  const url = new URL(path, apiRoot);
  for (const [name, value] of Object.entries(query))
    for (const one of Array.isArray(value) ? value : [value])
      if (one !== undefined && one !== null && one !== "") url.searchParams.append(name, String(one));
  return url;
}

/** Ask the API; its answer as JSON. Raises ApiError. */
export async function send<T>(method: string, path: string, options: Options<unknown> = {}): Promise<T> {
  const params = (options.path ?? {}) as Record<string, string | number>;
  const filled = path.replace(/\{(\w+)\}/g, (_, name: string) => encodeURIComponent(String(params[name])));
  const asked: RequestInit = { method, headers: credentials(), cache: "no-store", credentials: "same-origin" };
  if (options.body !== undefined) {
    asked.body = JSON.stringify(options.body);
    asked.headers = { ...credentials(), "Content-Type": "application/json" };
  }
  if (options.signal) asked.signal = options.signal;
  if (options.keepalive) asked.keepalive = true;
  let response: Response;
  try {
    response = await fetch(address(filled, options.query as Record<string, unknown>), asked);
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new ApiError(0, "Dozor does not answer.");
  }
  if (!response.ok) throw await refusal(response);
  return (await response.json()) as T;
}

/** What a refusal says, as an error; in the language in force. */
export async function refusal(response: Response): Promise<ApiError> {
  if (response.status === 401) keyWanted.value = true;
  let told = response.statusText || `HTTP ${response.status}`;
  try {
    const problem = (await response.json()) as Record<string, unknown>;
    told = worded(String(problem.detail ?? problem.error ?? problem.title ?? told));
  } catch {
    // no problem document: a proxy's own page
  }
  return new ApiError(response.status, told);
}

export type Labels = Record<string, string>;

/** What projects did over time: the ranges to choose from, and what is asked for each. */
import { keepPreviousData, queryOptions } from "@tanstack/react-query";
import { type Schemas, api, take } from "@/api/client";

export type SeriesAnswer = Schemas["SeriesAnswer"];
export type SeriesPoint = Schemas["SeriesPointView"];
export type SeriesStep = Schemas["SeriesStepName"];

export interface Range {
  id: "1h" | "24h" | "7d" | "30d";
  name: string;
  /** In a sentence. */
  words: string;
  hours: number;
  step: SeriesStep;
  /** How long a point is, in a sentence. */
  each: string;
}

export const ranges: Range[] = [
  { id: "1h", name: "1 h", words: "the last hour", hours: 1, step: "minute", each: "a minute" },
  { id: "24h", name: "24 h", words: "the last 24 hours", hours: 24, step: "ten_minutes", each: "ten minutes" },
  { id: "7d", name: "7 d", words: "the last 7 days", hours: 7 * 24, step: "hour", each: "an hour" },
  { id: "30d", name: "30 d", words: "the last 30 days", hours: 30 * 24, step: "day", each: "a day" },
];

const usual = ranges[1] as Range;

/** The range of that name; a day unless there is one. */
export const rangeOf = (id: string | undefined): Range => ranges.find((range) => range.id === id) ?? usual;

const minute = 60_000;

/** From when until when: whole minutes, as the minute that runs is not written down yet. */
function bounds(range: Range): { from: string; to: string; step: SeriesStep } {
  const to = Math.floor(Date.now() / minute) * minute;
  return { from: new Date(to - range.hours * 60 * minute).toISOString(), to: new Date(to).toISOString(), step: range.step };
}

/** What a project did, one of its plugins, or all projects together. */
export const seriesQuery = (project: string | undefined, plugin: string | undefined, range: Range) =>
  queryOptions({
    queryKey: ["project", project ?? "", "series", plugin ?? "", range.id],
    queryFn: ({ signal }): Promise<SeriesAnswer> =>
      project === undefined
        ? take(api.GET("/admin/v1/series", { params: { query: bounds(range) }, signal }))
        : take(
            api.GET("/admin/v1/projects/{project}/series", {
              params: { path: { project }, query: { ...bounds(range), ...(plugin === undefined ? {} : { plugin }) } },
              signal,
            }),
          ),
    refetchInterval: range.hours === 1 ? minute / 3 : minute,
    placeholderData: keepPreviousData,
  });

/** Requests of some projects within the last day, hour by hour. */
export const usesQuery = (ids: string[]) =>
  queryOptions({
    queryKey: ["projects", "series", ids],
    queryFn: ({ signal }) => {
      const { from, to } = bounds(usual);
      return take(api.GET("/admin/v1/series/projects", { params: { query: { ids: ids.join(","), from, to, step: "hour" } }, signal }));
    },
    enabled: ids.length > 0,
    staleTime: 5 * minute,
    refetchInterval: 5 * minute,
  });

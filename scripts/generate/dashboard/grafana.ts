/** The part of Grafana's dashboard model that ours uses (schema version 39, Grafana 10 and later). */

/** A dashboard's JSON, or a part of it. */
export type Json = string | number | boolean | null | readonly Json[] | JsonObject;

interface JsonObject {
  readonly [name: string]: Json;
}

/** One query of a panel. */
export interface Query {
  readonly expr: string;
  readonly legend: string;
}

/** A panel, not yet placed. */
export interface Panel {
  readonly title: string;
  readonly description: string;
  readonly type: 'stat' | 'timeseries' | 'heatmap' | 'state-timeline';
  /** Of 24 columns. */
  readonly width: number;
  readonly queries: readonly Query[];
  /** As Grafana names them: `s`, `bytes`, `ops`, `short`. */
  readonly unit: string;
  /** What is added to the panel's field defaults and to its options. */
  readonly defaults?: JsonObject;
  readonly options?: JsonObject;
}

/** Panels under one heading. */
export interface PanelRow {
  readonly title: string;
  readonly height: number;
  readonly panels: readonly Panel[];
}

/** A colour from each value on. */
export interface Step {
  readonly from: number | null;
  readonly color: 'green' | 'yellow' | 'orange' | 'red' | 'blue' | 'text';
}

/** Field defaults that colour values by thresholds. */
export function thresholds(steps: readonly Step[]): JsonObject {
  return {
    thresholds: { mode: 'absolute', steps: steps.map(({ from, color }) => ({ value: from, color })) },
    color: { mode: 'thresholds' },
  };
}

/** Field defaults that show numbers as coloured words. */
export function words(meanings: Readonly<Record<number, readonly [text: string, color: string]>>): JsonObject {
  const options = Object.entries(meanings).map(([value, [text, color]], index) => [value, { text, color, index }]);
  return { mappings: [{ type: 'value', options: Object.fromEntries(options) as JsonObject }] };
}

const DATASOURCE = { type: 'prometheus', uid: '${datasource}' } as const;

/** Places the rows one below the other, and their panels from left to right. */
export function layOut(rows: readonly PanelRow[]): Json[] {
  const placed: Json[] = [];
  let y = 0;
  for (const row of rows) {
    placed.push({
      id: placed.length + 1,
      type: 'row',
      title: row.title,
      collapsed: false,
      panels: [],
      gridPos: { x: 0, y: y++, w: 24, h: 1 },
    });
    let x = 0;
    for (const panel of row.panels) {
      if (x + panel.width > 24) {
        x = 0;
        y += row.height;
      }
      placed.push(panelJson(panel, placed.length + 1, { x, y, w: panel.width, h: row.height }));
      x += panel.width;
    }
    y += row.height;
  }
  return placed;
}

function panelJson(panel: Panel, id: number, gridPos: JsonObject): Json {
  const { title, description, type, queries, unit } = panel;
  return {
    id,
    type,
    title,
    description,
    datasource: DATASOURCE,
    gridPos,
    targets: queries.map(({ expr, legend }, index) => ({
      refId: String.fromCharCode(65 + index),
      datasource: DATASOURCE,
      editorMode: 'code',
      expr,
      legendFormat: legend,
      format: type === 'heatmap' ? 'heatmap' : 'time_series',
      instant: type === 'stat',
      range: type !== 'stat',
    })),
    fieldConfig: {
      defaults: { unit, noValue: 'unknown', ...styleOf(type), ...panel.defaults },
      overrides: [],
    },
    options: { ...optionsOf(type), ...panel.options },
  };
}

function styleOf(type: Panel['type']): JsonObject {
  if (type === 'timeseries') {
    return {
      min: 0,
      custom: { drawStyle: 'line', lineWidth: 1, fillOpacity: 8, showPoints: 'never', spanNulls: false },
    };
  }
  return type === 'state-timeline' ? { custom: { fillOpacity: 80, lineWidth: 0 } } : {};
}

function optionsOf(type: Panel['type']): JsonObject {
  switch (type) {
    case 'stat':
      return { colorMode: 'background', graphMode: 'none', reduceOptions: { calcs: ['lastNotNull'], values: false } };
    case 'timeseries':
      return {
        legend: { displayMode: 'table', placement: 'bottom', calcs: ['lastNotNull', 'max'] },
        tooltip: { mode: 'multi', sort: 'desc' },
      };
    case 'heatmap':
      return {
        calculate: false,
        cellGap: 1,
        color: { mode: 'scheme', scheme: 'Oranges', scale: 'exponential', exponent: 0.5, steps: 64 },
        yAxis: { unit: 's', axisPlacement: 'left' },
        tooltip: { mode: 'single', yHistogram: true },
        exemplars: { color: 'rgba(255,0,255,0.7)' },
        filterValues: { le: 1e-9 },
      };
    case 'state-timeline':
      return {
        mergeValues: true,
        showValue: 'auto',
        rowHeight: 0.8,
        legend: { displayMode: 'list', placement: 'bottom' },
      };
  }
}

/** A variable that takes the values of a label. @param several whether more than one may be chosen, and all of them are at first */
export function labelVariable(name: string, label: string, series: string, several: boolean): Json {
  const query = `label_values(${series}, ${name})`;
  return {
    name,
    label,
    type: 'query',
    datasource: DATASOURCE,
    definition: query,
    query: { query, refId: `variable-${name}` },
    refresh: 2,
    sort: 1,
    multi: several,
    includeAll: several,
    // also matches series that lack the label
    ...(several ? { allValue: '.*', current: { selected: true, text: ['All'], value: ['$__all'] } } : {}),
  };
}

/** The variable that says which Prometheus is asked. */
export const DATASOURCE_VARIABLE: Json = {
  name: 'datasource',
  label: 'Data source',
  type: 'datasource',
  query: 'prometheus',
  refresh: 1,
  multi: false,
  includeAll: false,
};

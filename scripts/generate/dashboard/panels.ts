import type { PanelRow } from './grafana.ts';
import { LATENCY, THROUGHPUT } from './panels/flow.ts';
import { GLANCE, LAG } from './panels/overview.ts';
import { STATES } from './panels/states.ts';
import { PROCESS, TROUBLE } from './panels/trouble.ts';

/** The dashboard's panels, from what to look at first to what explains it. */
export const PANEL_ROWS: readonly PanelRow[] = [GLANCE, LAG, LATENCY, THROUGHPUT, STATES, TROUBLE, PROCESS];

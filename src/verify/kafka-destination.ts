import { constantText, parseTemplate } from '../core/template.ts';
import type { AddressTemplate } from '../route/spec.ts';
import { Comparison } from './comparison.ts';
import { compareWithRecord, type DestinationTask, positionOf, type Reading, unexpectedFrom } from './destination.ts';
import { idInHeader } from './header-id.ts';
import { type KafkaLog, type LogRecord, offsetsOf, type TopicPlan } from './kafka-log.ts';
import type { DestinationReport } from './report.ts';

/**
 * Compares the record with topics: with those named, else with all that the routes lead to.
 *
 * The window is fixed first, then the ends of the partitions: so what the record has of the window had been
 * acknowledged before the end up to which is read.
 */
export async function verifyKafka(
  task: DestinationTask,
  log: KafkaLog,
  chosen: readonly string[],
): Promise<DestinationReport> {
  const from = task.window.since - task.marginMs;
  const topics = chosen.length > 0 ? [...new Set(chosen)] : await topicsOf(task, log, from);
  const plans: TopicPlan[] = [];
  for (const topic of topics) plans.push(await log.plan(topic, from, task.window.until + task.marginMs));
  const reading = await readTopics(task, log, plans);
  const states = new Map(plans.map((plan) => [plan.topic, plan]));
  const { since, until } = task.window;
  return compareWithRecord(task, reading, {
    from,
    judged: ({ address, publishedAt }) => states.has(address) && publishedAt >= since && publishedAt <= until,
    retained: ({ address, publishedAt }) => {
      const state = states.get(address);
      if (state === undefined || state.compacted === true) return false;
      return state.truncatedUntil === null || publishedAt - task.marginMs >= state.truncatedUntil;
    },
  });
}

async function readTopics(task: DestinationTask, log: KafkaLog, plans: readonly TopicPlan[]): Promise<Reading> {
  const comparison = new Comparison(task.examples);
  const earliest = unexpectedFrom(task);
  const { since, until } = task.window;
  const lanes = new Map<string, number>();
  const total = plans.reduce((sum, plan) => sum + offsetsOf(plan), 0);
  let done = 0;
  let foreign = 0;
  for (const plan of plans) {
    const visit = (record: LogRecord): void => {
      const id = idInHeader(record.header('id'));
      if (id === null) {
        foreign++;
        return;
      }
      const place = `${record.topic}/${record.partition}`;
      const lane = lanes.get(place) ?? lanes.size;
      lanes.set(place, lane);
      comparison.observe({
        id,
        lane,
        key: record.key,
        position: positionOf(record),
        inWindow: record.timestamp >= since && record.timestamp <= until,
        accountable: record.timestamp >= earliest && record.timestamp <= until,
        where: () => `${place} offset ${record.offset}`,
      });
    };
    await log.read(plan, visit, (offsets) => {
      done += offsets;
      task.report({ what: `reading ${plan.topic}`, done, total, unit: 'messages' });
    });
  }
  return { comparison, foreign, read: plans.map(({ topic }) => topic), notJudged: plans.flatMap(topicNotes) };
}

function topicNotes({ topic, exists, compacted, truncatedUntil }: TopicPlan): string[] {
  if (!exists) return [`There is no topic ${topic}, or this user may not describe it.`];
  if (compacted === true) return [`${topic} is compacted: what is absent there may have been removed by that.`];
  const notes: string[] = [];
  if (compacted === null) notes.push(`Whether ${topic} is compacted could not be asked.`);
  if (truncatedUntil !== null)
    notes.push(
      `${topic} has lost messages of the window to its retention: up to ${new Date(truncatedUntil).toISOString()} what is absent is not told as missing.`,
    );
  return notes;
}

/** Topics that are named in the routes, that the record has, and that are there and fit a template. */
async function topicsOf(task: DestinationTask, log: KafkaLog, from: number): Promise<readonly string[]> {
  const templates = task.templates.flatMap((address) => (address.kind === 'topic' ? [address.topic] : []));
  const recorded = task.recordBegin === null ? [] : await task.record.addresses(task.destination, from);
  const patterns = templates.map(topicPattern).filter((pattern) => pattern !== null);
  const listed = (await log.topics()).filter((topic) => patterns.some((pattern) => pattern.test(topic)));
  const fixed = templates.map(constantText).filter((topic) => topic !== null);
  return [...new Set([...fixed, ...recorded.map(({ address }) => address), ...listed])].sort();
}

/** The names that a template can stand for; null for one without any text of its own, which all topics would fit. */
export function topicPattern(template: Extract<AddressTemplate, { kind: 'topic' }>['topic']): RegExp | null {
  const parts = parseTemplate(template);
  if (!parts.some((part) => typeof part === 'string')) return null;
  const escaped = parts.map((part) =>
    typeof part === 'string' ? part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&') : '[a-zA-Z0-9._-]*',
  );
  return new RegExp(`^${escaped.join('')}$`);
}

/** A relay that publishes by the log, and since when. */
export interface Streaming {
  readonly pid: number;
  readonly since: string;
}

/** The relays of a round, which all stand for the same table; a supervisor starts those that faults end. */
export interface RelayGroup {
  /** What a relay must not do: end without being asked to, or not end when asked. */
  readonly offences: readonly string[];
  /** How often one ended by itself and was started again: peers only, for which it is no offence. */
  readonly restarts: number;
  start(count: number): Promise<void>;
  /** The one that leads; any, when none tells so. */
  leader(): Promise<{ signal(name: NodeJS.Signals): void }>;
  /** Ends the leader, and starts another process in its place after a while. */
  replaceLeader(signal: 'SIGKILL' | 'SIGTERM', afterMs: number): Promise<void>;
  /** Kills all at once. */
  killAll(): Promise<void>;
  /** Starts a process in the place of each that has ended. */
  startAgain(): Promise<void>;
  /** Lets the wall clock of each jump: ahead, then behind, then to the right time. */
  jumpClocks(): void;
  /** Resolves when one reads the database, wherever it may publish. @throws when that does not come about */
  untilReading(): Promise<unknown>;
  /** Resolves when one relay leads and all of it streams. @throws when that does not come about */
  untilStreaming(): Promise<Streaming>;
  /** Starts one that is stuck anew, as an operator would; false where that would hide what is to be found. */
  rescue(): Promise<boolean>;
  /** Asks all to end, and returns what is wrong with how they did. */
  stop(): Promise<string[]>;
  /** Kills what still runs. */
  dispose(): Promise<void>;
}

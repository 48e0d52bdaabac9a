/** What fio says: besides the mean what the slowest of a hundred operations takes, from a client that others wrote. */
import { isInstalled, runAnyway } from "./run_program.ts";

/** By name: fio's kind of work and the size of a piece. Each client has one piece on its way at a time. */
const JOBS: Readonly<Record<string, { kind: string; size: string }>> = {
  fio_random_read4k: { kind: "randread", size: "4k" },
  fio_random_write4k: { kind: "randwrite", size: "4k" },
  fio_read1m: { kind: "read", size: "1m" },
  fio_write1m: { kind: "write", size: "1m" },
};

/** What is added to the name of a job for the slowest of a hundred operations. */
const SLOWEST = "_p99";

/** In shorter times than this, in milliseconds, fio counts too little. */
const SHORTEST = 100;

/** What there is to choose; each is measured with its slowest, too. */
export const FIO_WORK: readonly string[] = Object.keys(JOBS);

/** Microseconds of each work, or why it failed. */
export type FioFigures = [work: string, found: number | Error][];

/** Why there is nothing to measure, if so. */
export async function noFio(): Promise<string | undefined> {
  return await isInstalled("fio") ? undefined : "fio is not installed (apt-get install fio)";
}

/**
 * Microseconds of each job, for all clients together, and of the slowest of a hundred operations, as one client sees it.
 * Works on the large files that `prepareFiles` made, one for each client.
 */
export async function runFio(
  path: string,
  clients: number,
  milliseconds: number,
  jobs: readonly string[],
): Promise<FioFigures> {
  // One process, since each takes most of a second; a job that fails does not keep it from the next.
  const { printed, complaint } = await runAnyway("fio", fioArgs(path, clients, milliseconds, jobs));
  try {
    return readFio(printed, jobs);
  } catch (error) {
    return bothOf(jobs, complaint ?? error as Error);
  }
}

function bothOf(jobs: readonly string[], found: Error): FioFigures {
  return jobs.flatMap((job) => [[job, found], [job + SLOWEST, found]] as FioFigures);
}

function fioArgs(path: string, clients: number, milliseconds: number, jobs: readonly string[]): string[] {
  const time = Math.max(milliseconds, SHORTEST);
  const common = [
    "--output-format=json",
    "--ioengine=psync",
    "--iodepth=1",
    `--directory=${path}`,
    "--filename_format=$jobnum/large",
    `--numjobs=${clients}`,
    "--group_reporting",
    "--time_based",
    `--runtime=${time}ms`,
    `--ramp_time=${Math.ceil(time / 8)}ms`,
    "--stonewall",
    // What the page cache has stays there, as for the other operations.
    "--invalidate=0",
    "--fallocate=none",
  ];
  return [
    ...common,
    ...jobs.flatMap((job) => [`--name=${job}`, `--rw=${JOBS[job]!.kind}`, `--bs=${JOBS[job]!.size}`]),
  ];
}

/** What it says of a job's reads, or writes. */
interface FioSide {
  readonly total_ios: number;
  readonly iops: number;
  readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> };
}

interface FioJob {
  readonly jobname: string;
  /** An errno, or 0. */
  readonly error: number;
  readonly read: FioSide;
  readonly write: FioSide;
}

/** What fio's JSON tells of `jobs`. @throws {Error} when it is no JSON. */
export function readFio(printed: string, jobs: readonly string[]): FioFigures {
  // Notes may come before it.
  const output = JSON.parse(printed.slice(printed.indexOf("{"))) as { jobs: FioJob[] };
  return jobs.flatMap((job) => readJob(job, output.jobs.find(({ jobname }) => jobname === job)));
}

function readJob(name: string, job: FioJob | undefined): FioFigures {
  if (job === undefined || job.error !== 0) {
    return bothOf([name], new Error(`fio's error ${job?.error ?? "is unknown"}`));
  }
  const side = [job.read, job.write].find(({ total_ios }) => total_ios > 0);
  const slowest = side?.clat_ns.percentile?.["99.000000"];
  if (side === undefined || slowest === undefined) return bothOf([name], new Error("fio did nothing in its time"));
  return [[name, 1e6 / side.iops], [name + SLOWEST, slowest / 1000]];
}

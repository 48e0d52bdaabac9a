/** On which branch of a union something new is made. The names and their meanings are those of mergerfs. */

/** A branch on which it could be made. */
export interface Candidate {
  /** Its place among the branches: 0 is the first. */
  readonly index: number;
  /** Whether the new file's directory is there already. */
  readonly hasParent: boolean;
  /** Bytes that are free for those without privileges. */
  readonly free: number;
  /** Bytes that are taken. */
  readonly used: number;
  /** When something was last made or removed in the new file's directory, in seconds since 1970; 0 where there is none. */
  readonly changed: number;
}

/** Chooses one of the candidates, which are in the order of the branches; undefined when none will do. */
export type CreatePolicy = (candidates: readonly Candidate[], random: () => number) => Candidate | undefined;

/** First found. */
export const ff: CreatePolicy = (candidates) => candidates[0];

/** Most free space. */
export const mfs: CreatePolicy = (candidates) => most(candidates, ({ free }) => free);

/** Least free space. */
export const lfs: CreatePolicy = (candidates) => most(candidates, ({ free }) => -free);

/** Least used space. */
export const lus: CreatePolicy = (candidates) => most(candidates, ({ used }) => -used);

/** Any, by lot. */
export const rand: CreatePolicy = (candidates, random) => candidates[Math.floor(random() * candidates.length)];

/** Any, by lot, in proportion to the free space. */
export const pfrd: CreatePolicy = (candidates, random) => {
  let left = random() * candidates.reduce((sum, { free }) => sum + free, 0);
  return candidates.find(({ free }) => (left -= free) < 0) ?? candidates.at(-1);
};

/** Of the branches that have the directory: existing path. */
function ofExistingPath(policy: CreatePolicy): CreatePolicy {
  return (candidates, random) => policy(candidates.filter(({ hasParent }) => hasParent), random);
}

export const epff = ofExistingPath(ff);
export const epmfs = ofExistingPath(mfs);
export const eplfs = ofExistingPath(lfs);
export const eplus = ofExistingPath(lus);
export const eprand = ofExistingPath(rand);
export const eppfrd = ofExistingPath(pfrd);

/** Where the directory was changed last; of those that have it, as in mergerfs, though the name has no `ep`. */
export const newest = ofExistingPath((candidates) => most(candidates, ({ changed }) => changed));

/** All policies by name. */
export const CREATE_POLICIES = {
  ff,
  mfs,
  lfs,
  lus,
  rand,
  pfrd,
  epff,
  epmfs,
  eplfs,
  eplus,
  eprand,
  eppfrd,
  newest,
} as const satisfies Record<string, CreatePolicy>;

/** The name of a policy, as mergerfs has it. */
export type CreatePolicyName = keyof typeof CREATE_POLICIES;

/** The first of those with the greatest value. */
function most(candidates: readonly Candidate[], value: (candidate: Candidate) => number): Candidate | undefined {
  return candidates.reduce<Candidate | undefined>(
    (best, candidate) => best === undefined || value(candidate) > value(best) ? candidate : best,
    undefined,
  );
}

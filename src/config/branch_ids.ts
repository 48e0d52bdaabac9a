/** The numbers of branches: 0 is the root's, the others are 1, 2, … without a gap. */

/** A branch, as far as its number goes. */
export interface Numbered {
  readonly path: unknown;
  /** What the configuration says; anything but a number is as if it said nothing. */
  readonly id?: unknown;
}

/** What each branch's number is, in their order: the one that it says, or else the lowest free one. */
export function assignIds(branches: readonly Numbered[]): number[] {
  const taken = new Set(branches.map(({ id }) => id));
  let next = 1;
  return branches.map(({ path, id }) => {
    if (typeof id === "number") return id;
    if (path === "/") return 0;
    while (taken.has(next)) next++;
    return next++;
  });
}

/** What is wrong with the number that the branch at `index` says; `nameOf` says where another one stands. */
export function findIdProblem(
  branches: readonly Numbered[],
  index: number,
  nameOf: (index: number) => string,
): string | undefined {
  const { path, id } = branches[index]!;
  // What is no whole number is the schema's to refuse; NaN is not even found again.
  if (typeof id !== "number" || !Number.isInteger(id)) return undefined;
  if (path === "/") return id === 0 ? undefined : `the branch at "/" is 0, not ${id}`;
  if (id === 0) return '0 is the number of the branch at "/"; the others are numbered from 1';
  const other = branches.findIndex((branch) => branch.id === id);
  if (other < index) return `${id} is the number of ${nameOf(other)} already`;
  const others = branches.filter((branch) => branch.path !== "/").length;
  const range = others === 1
    ? "the only branch below the root is 1"
    : `the ${others} branches below the root are 1 to ${others}`;
  return id > others ? `${id} leaves a gap: ${range}` : undefined;
}

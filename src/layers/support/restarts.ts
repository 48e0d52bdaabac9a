/**
 * Numbers of a filesystem that takes a dead one's place (`host.restarts`). The kernel may still ask for the dead one's node
 * ids and handles, which must not be those of another file now.
 */

/** The numbers of one filesystem and of the next begin so far apart. */
const APART = 2 ** 34;
/** A branch's node ids have 40 bits, in which there is room for so many beginnings. */
const BEGINNINGS = 63;

/** What to add to the first number, when so many died before. */
export function numbersApart(restarts: number): number {
  return (restarts % BEGINNINGS) * APART;
}

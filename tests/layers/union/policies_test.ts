/** The create policies, each by what it chooses among the same candidates. */
import { type Candidate, CREATE_POLICIES, type CreatePolicyName } from "../../../src/layers/union/mod.ts";
import { assertEquals } from "../../deps.ts";

const CANDIDATES: Candidate[] = [
  { index: 0, hasParent: false, free: 500, used: 40, changed: 0 },
  { index: 1, hasParent: true, free: 100, used: 30, changed: 5.5 },
  { index: 2, hasParent: true, free: 400, used: 60, changed: 5.25 },
  { index: 3, hasParent: false, free: 50, used: 10, changed: 0 },
];

/** What is chosen when the lot is 0, 0.5, and just below 1. */
const CHOSEN: Record<CreatePolicyName, [number, number, number]> = {
  ff: [0, 0, 0],
  mfs: [0, 0, 0],
  lfs: [3, 3, 3],
  lus: [3, 3, 3],
  rand: [0, 2, 3],
  // 500 of 1050 bytes are on the first, and 525 fall on the second.
  pfrd: [0, 1, 3],
  epff: [1, 1, 1],
  epmfs: [2, 2, 2],
  eplfs: [1, 1, 1],
  eplus: [1, 1, 1],
  eprand: [1, 2, 2],
  eppfrd: [1, 2, 2],
  newest: [1, 1, 1],
};

for (const [name, policy] of Object.entries(CREATE_POLICIES)) {
  Deno.test(`policy ${name}`, () => {
    const chosen = [0, 0.5, 0.999].map((lot) => policy(CANDIDATES, () => lot)?.index);
    assertEquals(chosen, CHOSEN[name as CreatePolicyName]);
    assertEquals(policy([], () => 0), undefined);
    const nowhere = policy(CANDIDATES.filter(({ hasParent }) => !hasParent), () => 0);
    assertEquals(nowhere === undefined, name.startsWith("ep") || name === "newest");
  });
}

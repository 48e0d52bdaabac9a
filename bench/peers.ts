/** Who is measured. */
import { OTHER_PEERS } from "./other_peers.ts";
import { OUR_PEERS } from "./our_peers.ts";
import type { Peer } from "./peer.ts";

/** All, in the order of the tables. */
export const PEERS: readonly Peer[] = [...OTHER_PEERS, ...OUR_PEERS];

/** Who is measured unless said otherwise. */
export const USUAL_PEERS: readonly string[] = ["host", "limit", "c", "hp", `loops-${navigator.hardwareConcurrency}`];

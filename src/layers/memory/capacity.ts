/** How much the filesystem may hold and how much it does: pages of content, and nodes. */
import type { FileSystemStatistics } from "../../fs/attributes.ts";
import { FsError } from "../../fs/errors.ts";
import { NAME_MAX } from "../support/name_limits.ts";
import { PAGE_SIZE } from "./chunk.ts";

/** What is reported where there is no limit: 16 TiB. */
const UNLIMITED_PAGES = 2 ** 32;

/** A JavaScript `Map` holds 2^24 entries; the table of nodes is one, so this limit stands in any case. */
const NODES_MAX = 16_000_000;

/**
 * Counts pages and nodes against their limits. Content counts by allocated pages of 4 KiB, also where a small file
 * takes less memory; names, symbolic links and extended attributes do not count (each of them is limited by itself).
 */
export class Capacity {
  readonly #pages: number;
  readonly #nodes: number;
  #usedPages = 0;
  #usedNodes = 0;

  /** `size` in bytes, rounded up to whole pages; 0 or undefined is no limit, for both. */
  constructor(size?: number, nodes?: number) {
    this.#pages = Math.ceil(limit("size", size) / PAGE_SIZE) || UNLIMITED_PAGES;
    this.#nodes = Math.min(limit("inodes", nodes) || NODES_MAX, NODES_MAX);
  }

  /** How many pages can still be taken. */
  get freePages(): number {
    return this.#pages - this.#usedPages;
  }

  /** Takes `count` pages; the caller has compared it with {@linkcode freePages}. */
  takePages(count: number): void {
    this.#usedPages += count;
  }

  /** Gives `count` pages back. */
  givePages(count: number): void {
    this.#usedPages -= count;
  }

  /** Takes a node, or throws `ENOSPC`. */
  takeNode(): void {
    if (this.#usedNodes >= this.#nodes) {
      throw new FsError("ENOSPC", `Cannot make another file: all ${this.#nodes} inodes are in use`);
    }
    this.#usedNodes++;
  }

  /** Gives a node back. */
  giveNode(): void {
    this.#usedNodes--;
  }

  /** As `statfs` shows it. */
  get statistics(): FileSystemStatistics {
    return {
      blockSize: PAGE_SIZE,
      blocks: this.#pages,
      blocksFree: this.freePages,
      blocksAvailable: this.freePages,
      files: this.#nodes,
      filesFree: this.#nodes - this.#usedNodes,
      nameLength: NAME_MAX,
    };
  }
}

function limit(name: string, value = 0): number {
  if (Number.isSafeInteger(value) && value >= 0) return value;
  throw new RangeError(`Cannot limit a memory filesystem to ${name}=${value}: give a whole number, 0 for no limit`);
}

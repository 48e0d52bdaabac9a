/** Which transport a mount takes, and what is said of it. */
import { chooseTransport, type TransportWish } from "../../src/transport/choice.ts";
import { assertEquals, assertMatch } from "../deps.ts";
import { NO_URING, switchUring } from "../support/uring.ts";

const LOOPS: TransportWish = { asked: "auto", placement: "loop", servers: 1000 };

Deno.test("the device is taken where it is asked for, and where io_uring cannot serve", () => {
  const cases: [wish: TransportWish, reason: RegExp][] = [
    [{ ...LOOPS, asked: "device" }, /^transport=device$/],
    [{ ...LOOPS, asked: "device", placement: "handler" }, /^transport=device$/],
    ...(["auto", "uring"] as const).flatMap((asked): [TransportWish, RegExp][] => [
      [{ ...LOOPS, asked, placement: "handler" }, /modules with placement "loop" only/],
      [{ ...LOOPS, asked, handsOn: true }, /handlers beside the loops/],
    ]),
  ];
  for (const [wish, expected] of cases) {
    const { transport, reason } = chooseTransport(wish);
    assertEquals(transport, "device", JSON.stringify(wish));
    assertMatch(reason, expected);
  }
});

/** Only root can switch io_uring on and off. */
const lacking = NO_URING ?? (Deno.uid() === 0 ? undefined : "only root can switch io_uring on and off");

Deno.test({
  name: `io_uring is taken where there is a loop for each core, or it is asked for${
    lacking === undefined ? "" : ` (skipped: ${lacking})`
  }`,
  ignore: lacking !== undefined,
  fn() {
    const choose = (switched: "Y" | "N", wish: Partial<TransportWish>) => {
      using _switched = switchUring(switched);
      return chooseTransport({ ...LOOPS, ...wish });
    };
    assertEquals(choose("Y", {}), { transport: "uring", reason: "every core has a loop of its own" });
    assertEquals(choose("Y", { asked: "uring", servers: 1 }), { transport: "uring", reason: "transport=uring" });
    for (const asked of ["auto", "uring"] as const) {
      const { transport, reason } = choose("N", { asked });
      assertEquals(transport, "device");
      assertMatch(reason, /^io_uring is switched off \(as root: echo Y >/);
    }
    const { transport, reason } = choose("Y", { servers: 0 });
    assertEquals(transport, "device");
    assertMatch(reason, /^0 loops for \d+ cores? would be slower over io_uring/);
  },
});

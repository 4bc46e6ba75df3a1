import fc from "fast-check";
import {
  NEW_PILE,
  type Pile,
  PILE_EVENTS,
  PILE_STATES,
  type PileEvent,
  type PileState,
  pileStep,
} from "../../../../src/protocol/cip22/mod.ts";
import { assert, assertEquals } from "../../../assert.ts";

/** A pile of each state, as it gets there. */
const PILES: Readonly<Record<PileState, Pile>> = {
  offline: NEW_PILE,
  standby: { ...NEW_PILE, state: "standby" },
  charging: { ...NEW_PILE, state: "charging", closed: true },
  fault: { ...NEW_PILE, state: "fault", behind: "fault" },
  upgrading: { ...NEW_PILE, state: "upgrading" },
};

// Every pair of state and event, written down once more, by hand: "=" nothing, "!" refused.
const WANTED: Readonly<Record<PileState, string>> = {
  offline: "standby = = ! = = = ! ! = = =",
  standby: "= offline = charging = fault = = upgrading = = fault",
  charging: "= offline = ! standby fault = = upgrading = = fault",
  fault: "= offline = ! = fault = ! upgrading = = fault",
  upgrading: "= = = ! = fault = ! ! standby standby fault",
};

Deno.test("Every event in every state leads where it has to, or nowhere, or is refused with a reason", () => {
  for (const state of PILE_STATES) {
    const got = PILE_EVENTS.map((kind) => {
      const { pile, actions, refused } = pileStep(PILES[state], { kind });
      if (refused !== undefined) {
        assertEquals([pile, actions], [PILES[state], []], `${state} ${kind}`);
        return "!";
      }
      const again = state === "fault" && (kind === "fault" || kind === "bricked");
      return pile.state === state && !again ? "=" : pile.state;
    });
    assertEquals(got.join(" "), WANTED[state], state);
  }
});

const event: fc.Arbitrary<PileEvent> = fc.record({
  kind: fc.constantFrom(...PILE_EVENTS),
  hazard: fc.boolean(),
}, { noNullPrototype: true });

// Goal: whatever happens in whatever order, current flows only where it may.
Deno.test("In any history the relay is closed only while it charges, and opens before anything else", () => {
  fc.assert(
    fc.property(fc.array(event, { maxLength: 60 }), (events) => {
      let pile = NEW_PILE;
      let relay = false;
      for (const one of events) {
        const before = pile;
        const step = pileStep(pile, one);
        pile = step.pile;
        for (const action of step.actions) {
          if (action === "open_relay") relay = false;
          if (action === "close_relay") relay = true;
        }
        const what = `${before.state} ${one.kind} -> ${pile.state}`;
        assertEquals(relay, pile.closed, what);
        const charges = pile.state === "charging" ||
          (pile.state === "offline" && pile.behind === "charging");
        assertEquals(pile.closed, charges, what);
        const safe = pile.state !== before.state &&
          (pile.state === "fault" || pile.state === "upgrading") && before.state !== "offline";
        if (safe) assertEquals(step.actions[0], "open_relay", what);
        if (step.actions.includes("close_relay")) {
          assertEquals([before.state, one.kind], ["standby", "start"]);
        }
        if (before.state === "fault" && before.hazard) assert(pile.state !== "upgrading", what);
      }
    }),
    { numRuns: 2000 },
  );
});

Deno.test("A fault goes only when it is cleared and a person has confirmed it, also while away", () => {
  const play = (...kinds: readonly PileEvent["kind"][]) =>
    kinds.reduce((pile, kind) => pileStep(pile, { kind }).pile, NEW_PILE).state;
  assertEquals(play("connected", "fault", "confirmed"), "fault");
  assertEquals(play("connected", "fault", "cleared"), "fault");
  assertEquals(play("connected", "fault", "cleared", "confirmed"), "standby");
  assertEquals(play("connected", "fault", "cleared", "fault", "confirmed"), "fault");
  assertEquals(play("connected", "fault", "lost", "connected"), "fault");
  assertEquals(play("connected", "fault", "lost", "cleared", "connected", "confirmed"), "standby");
  assertEquals(play("fault", "connected"), "fault", "it happened before it was known");
});

Deno.test("Without a gateway it charges on until its time is over, and not after a fault or a stop", () => {
  const start = ["connected", "start", "lost"] as const;
  const play = (...kinds: readonly PileEvent["kind"][]) =>
    [...start, ...kinds].reduce((pile, kind) => pileStep(pile, { kind }).pile, NEW_PILE);
  assertEquals([play().closed, play("connected").state], [true, "charging"]);
  for (const end of ["grace_over", "stop", "fault", "bricked"] as const) {
    assertEquals(play(end).closed, false, end);
    const state = end === "fault" || end === "bricked" ? "fault" : "standby";
    assertEquals(play(end, "connected").state, state, end);
  }
});

/**
 * What state a pile is in, and what every event means in it: one table of all of them. What is safe
 * is done first: on the way to a fault or an upgrade the relay opens before anything else.
 *
 * A pile that cannot be reached goes on charging for a while, if it may; then it stops by itself.
 * @module
 */

/** States of the specification. */
export const PILE_STATES = ["offline", "standby", "charging", "fault", "upgrading"] as const;
/** One of {@linkcode PILE_STATES}. */
export type PileState = (typeof PILE_STATES)[number];

/** What can happen. */
export const PILE_EVENTS = [
  /** It is connected, and has shown who it is. */
  "connected",
  /** The connection is lost. */
  "lost",
  /** It was away for as long as charging may go on without a gateway. */
  "grace_over",
  /** An authorised start. */
  "start",
  /** A stop: by the user, because it is full, because the authorisation has ended. */
  "stop",
  /** Something is wrong. */
  "fault",
  /** It is not wrong any more. */
  "cleared",
  /** A person has confirmed that it may go on. */
  "confirmed",
  /** An image whose signature holds is to be installed. */
  "upgrade",
  /** The new image runs, and is what it should be. */
  "upgraded",
  /** The new image does not run; the old one does again. */
  "rolled_back",
  /** Neither of them runs. */
  "bricked",
] as const;
/** One of {@linkcode PILE_EVENTS}. */
export type PileEventKind = (typeof PILE_EVENTS)[number];

/** An event, with what is known of it. */
export interface PileEvent {
  readonly kind: PileEventKind;
  /** Of a fault: whether it endangers people. With one no upgrade begins. */
  readonly hazard?: boolean;
}

/** What is to be done, in this order. */
export type PileAction =
  | "open_relay"
  | "close_relay"
  | "save_snapshot"
  | "lock_operation"
  | "unlock_operation"
  | "persist_upgrade"
  | "reboot"
  | "start_grace"
  | "end_session"
  | "raise_alarm"
  | "report";

/** A pile, as far as its state goes. */
export interface Pile {
  readonly state: PileState;
  /** Offline: what it was, and goes on being by itself. */
  readonly behind: "standby" | "charging" | "fault";
  /** The relay is closed: current may flow. */
  readonly closed: boolean;
  /** A fault that endangers people. */
  readonly hazard: boolean;
  /** The fault is gone, and waits to be confirmed. */
  readonly cleared: boolean;
}

/** A pile that nobody has heard of yet. */
export const NEW_PILE: Pile = {
  state: "offline",
  behind: "standby",
  closed: false,
  hazard: false,
  cleared: false,
};

/** What an event leads to. */
export interface PileStep {
  readonly pile: Pile;
  readonly actions: readonly PileAction[];
  /** Why nothing was done; undefined when it was. */
  readonly refused?: string;
}

/** What a cell of the table says: what is done, that nothing is meant, or why it is refused. */
type Cell =
  | ((pile: Pile, event: PileEvent) => PileStep)
  | "nothing"
  | { readonly refused: string };

const no = (refused: string): Cell => ({ refused });

function to(state: PileState, actions: readonly PileAction[], change: Partial<Pile> = {}): Cell {
  return (pile) => ({ pile: { ...pile, state, ...change }, actions });
}

const CALM = { closed: false, hazard: false, cleared: false } as const;

/** Opens the relay first; a fault that is already there may only become worse. */
const fail: Cell = (pile, { hazard = false }) => ({
  pile: {
    ...pile,
    state: "fault",
    behind: "fault",
    closed: false,
    hazard: hazard || (pile.state === "fault" && pile.hazard),
    cleared: false,
  },
  actions: ["open_relay", "end_session", "raise_alarm", "report"],
});

/** The same where nobody can be told. */
const failAlone: Cell = (pile, { hazard = false }) => ({
  pile: {
    ...pile,
    behind: "fault",
    closed: false,
    hazard: hazard || (pile.behind === "fault" && pile.hazard),
    cleared: false,
  },
  actions: ["open_relay", "end_session"],
});

const UPGRADE: readonly PileAction[] = [
  "open_relay",
  "end_session",
  "save_snapshot",
  "lock_operation",
  "persist_upgrade",
  "reboot",
];

/** Every event in every state. */
export const PILE_TABLE: Readonly<Record<PileState, Readonly<Record<PileEventKind, Cell>>>> = {
  offline: {
    connected: (pile) => ({ pile: { ...pile, state: pile.behind }, actions: ["report"] }),
    lost: "nothing",
    "grace_over": (pile) =>
      pile.behind === "charging"
        ? {
          pile: { ...pile, behind: "standby", closed: false },
          actions: ["open_relay", "end_session"],
        }
        : { pile, actions: [] },
    start: no("it cannot be reached"),
    stop: (pile) =>
      pile.behind === "charging"
        ? {
          pile: { ...pile, behind: "standby", closed: false },
          actions: ["open_relay", "end_session"],
        }
        : { pile, actions: [] },
    fault: failAlone,
    cleared: (pile) => ({ pile: { ...pile, cleared: pile.behind === "fault" }, actions: [] }),
    confirmed: no("it cannot be reached"),
    upgrade: no("it cannot be reached"),
    upgraded: "nothing",
    "rolled_back": "nothing",
    bricked: failAlone,
  },
  standby: {
    connected: "nothing",
    lost: to("offline", ["raise_alarm"], { behind: "standby", closed: false }),
    "grace_over": "nothing",
    start: to("charging", ["close_relay", "report"], { closed: true }),
    stop: "nothing",
    fault: fail,
    cleared: "nothing",
    confirmed: "nothing",
    upgrade: to("upgrading", UPGRADE, CALM),
    upgraded: "nothing",
    "rolled_back": "nothing",
    bricked: fail,
  },
  charging: {
    connected: "nothing",
    lost: to("offline", ["start_grace", "raise_alarm"], { behind: "charging" }),
    "grace_over": "nothing",
    start: no("it charges already"),
    stop: to("standby", ["open_relay", "end_session", "report"], { closed: false }),
    fault: fail,
    cleared: "nothing",
    confirmed: "nothing",
    upgrade: to("upgrading", UPGRADE, CALM),
    upgraded: "nothing",
    "rolled_back": "nothing",
    bricked: fail,
  },
  fault: {
    connected: "nothing",
    lost: to("offline", ["raise_alarm"], { behind: "fault", closed: false }),
    "grace_over": "nothing",
    start: no("it has a fault"),
    stop: "nothing",
    fault: fail,
    cleared: to("fault", ["report"], { cleared: true }),
    confirmed: (pile) =>
      pile.cleared
        ? {
          pile: { ...pile, state: "standby", behind: "standby", ...CALM },
          // It may have been an upgrade that failed.
          actions: ["unlock_operation", "report"],
        }
        : { pile, actions: [], refused: "its fault is not cleared" },
    upgrade: (pile) =>
      pile.hazard
        ? { pile, actions: [], refused: "its fault endangers people" }
        : { pile: { ...pile, state: "upgrading", ...CALM }, actions: UPGRADE },
    upgraded: "nothing",
    "rolled_back": "nothing",
    bricked: fail,
  },
  upgrading: {
    connected: "nothing",
    // It has to restart for that: the upgrade goes on.
    lost: "nothing",
    "grace_over": "nothing",
    start: no("it is being upgraded"),
    stop: "nothing",
    fault: fail,
    cleared: "nothing",
    confirmed: no("it is being upgraded"),
    upgrade: no("it is being upgraded"),
    upgraded: to("standby", ["unlock_operation", "report"], { behind: "standby", ...CALM }),
    "rolled_back": to("standby", ["unlock_operation", "raise_alarm", "report"], {
      behind: "standby",
      ...CALM,
    }),
    bricked: fail,
  },
};

/** What an event means for a pile. It never throws. */
export function pileStep(pile: Pile, event: PileEvent): PileStep {
  const cell = PILE_TABLE[pile.state][event.kind];
  if (cell === "nothing") return { pile, actions: [] };
  return typeof cell === "function" ? cell(pile, event) : { pile, actions: [], ...cell };
}

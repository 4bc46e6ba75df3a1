/** Which node may act. South asks before it polls actively and before it executes a command. */
export interface Authority {
  /** Whether this node acts for `group` now. Always true on a single node. */
  holds(group: string): boolean;
  /** Calls back after each change. Disposing ends it. */
  changed(callback: () => void): Disposable;
}

/** The authority of a node that has no other beside it. */
export const SINGLE_NODE: Authority = {
  holds: () => true,
  changed: () => ({ [Symbol.dispose]: () => {} }),
};
